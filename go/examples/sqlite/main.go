// SPDX-License-Identifier: Apache-2.0

// Command sqlite asks a database in a worker process: its database and its statements are handles, and rows come by a
// callback, which is a function of Go.
//
//	go run ./examples/sqlite
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"cordon.internal/cordon"
)

const declarations = `
library "libsqlite3.so.0";
typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
int sqlite3_open(const char *filename, out sqlite3 **ppDb);
int sqlite3_close(release sqlite3 *db);
const char *sqlite3_errmsg(sqlite3 *db);
int sqlite3_exec(sqlite3 *db, const char *sql,
                 nullable int (*callback)(void *context, int columns, const char *values[columns],
                                          const char *names[columns]) fails(1),
                 void *context, nullable out owned(sqlite3_free) char **errmsg);
int sqlite3_prepare_v2(sqlite3 *db, const char *zSql, int nByte, out sqlite3_stmt **ppStmt,
                       nullable out within(zSql) const char **pzTail);
int sqlite3_bind_int64(sqlite3_stmt *stmt, int index, int64_t value);
int sqlite3_step(sqlite3_stmt *stmt);
int sqlite3_reset(sqlite3_stmt *stmt);
int64_t sqlite3_column_int64(sqlite3_stmt *stmt, int column);
int sqlite3_finalize(nullable release sqlite3_stmt *stmt);
`

const (
	ok  = 0
	row = 100
)

// A database is a session: SQLite's objects live in one worker.
type database struct {
	session *cordon.Session
	handle  *cordon.Handle
}

func open(ctx context.Context, cell *cordon.Cell, path string) (*database, error) {
	session, err := cell.Session()
	if err != nil {
		return nil, err
	}
	db := &database{session: session}
	result, err := db.call(ctx, "sqlite3_open", path)
	if err == nil {
		db.handle, _ = result.Out("ppDb").(*cordon.Handle) // there is one also after a failure, to be closed
		err = db.check(ctx, result)
	}
	if err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

func (db *database) close() {
	_ = db.handle.Close()
	_ = db.session.Close()
}

func (db *database) call(ctx context.Context, name string, args ...any) (*cordon.Result, error) {
	f, err := db.session.Func(name)
	if err != nil {
		return nil, err
	}
	return f.Call(ctx, args...)
}

// check makes an error of what SQLite says.
func (db *database) check(ctx context.Context, result *cordon.Result) error {
	if result.Int() == ok {
		return nil
	}
	message, err := db.call(ctx, "sqlite3_errmsg", db.handle)
	if err != nil {
		return err
	}
	return fmt.Errorf("sqlite: %v", message.Value())
}

// each runs statements, and calls a function for each row.
func (db *database) each(ctx context.Context, sql string, do func(row []string) error) error {
	callback := func(_ uint64, values, _ []string) (int, error) { return ok, do(values) }
	result, err := db.call(ctx, "sqlite3_exec", db.handle, sql, callback, 0)
	if err != nil {
		return err
	}
	return db.check(ctx, result)
}

// number runs a statement with a number in it, which gives one.
func (db *database) number(ctx context.Context, sql string, with int64) (int64, error) {
	result, err := db.call(ctx, "sqlite3_prepare_v2", db.handle, sql, -1)
	if err != nil {
		return 0, err
	}
	if err := db.check(ctx, result); err != nil {
		return 0, err
	}
	statement := result.Out("ppStmt").(*cordon.Handle)
	defer statement.Close()
	if _, err := db.call(ctx, "sqlite3_bind_int64", statement, 1, with); err != nil {
		return 0, err
	}
	step, err := db.call(ctx, "sqlite3_step", statement)
	if err != nil {
		return 0, err
	}
	if step.Int() != row {
		return 0, errors.New("sqlite: no row")
	}
	column, err := db.call(ctx, "sqlite3_column_int64", statement, 0)
	if err != nil {
		return 0, err
	}
	return column.Int(), nil
}

func run(ctx context.Context, out io.Writer) error {
	cell, err := cordon.Open(ctx, "", cordon.WithInterface(declarations))
	if err != nil {
		return err
	}
	defer cell.Close()
	db, err := open(ctx, cell, ":memory:")
	if err != nil {
		return err
	}
	defer db.close()
	const fill = `create table planet(name text, moons integer);
		insert into planet values('Earth', 1), ('Mars', 2), ('Venus', 0);`
	if err := db.each(ctx, fill, func([]string) error { return nil }); err != nil {
		return err
	}
	err = db.each(ctx, "select name, moons from planet order by moons", func(row []string) error {
		_, err := fmt.Fprintf(out, "%s has %s\n", row[0], row[1])
		return err
	})
	if err != nil {
		return err
	}
	count, err := db.number(ctx, "select count(*) from planet where moons >= ?", 1)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d have any\n", count)
	err = db.each(ctx, "select nonsense", func([]string) error { return nil })
	fmt.Fprintln(out, err)
	return nil
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}
