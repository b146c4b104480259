// SPDX-License-Identifier: Apache-2.0

// Package generate tests what `cordon generate go` writes.
package generate

import (
	"bytes"
	"errors"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func fromEnvironment(t *testing.T, name string) string {
	t.Helper()
	path := os.Getenv(name)
	if path == "" {
		t.Fatalf("%s is not set: tools/test sets it", name)
	}
	return path
}

// generate runs the command, and returns what it writes.
func generate(t *testing.T, args ...string) (source []byte, status int, said string) {
	t.Helper()
	var out, err bytes.Buffer
	command := exec.Command(fromEnvironment(t, "CORDON_PROGRAM"), append([]string{"generate"}, args...)...)
	command.Stdout, command.Stderr = &out, &err
	var failed *exec.ExitError
	if failure := command.Run(); failure != nil && !errors.As(failure, &failed) {
		t.Fatal(failure)
	}
	return out.Bytes(), command.ProcessState.ExitCode(), err.String()
}

// module makes a module of all packages that can be generated here.
func module(t *testing.T) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(fromEnvironment(t, "CORDON_TEST_INTERFACES"), "*.cordon"))
	files = append(files, filepath.Join(here, "testdata", "shapes.cordon"))
	if len(files) < 4 {
		t.Fatalf("interfaces: %v", files)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		source, status, said := generate(t, "go", file)
		if status != 0 {
			t.Fatalf("%s: %d\n%s", file, status, said)
		}
		if formatted, err := format.Source(source); err != nil || !bytes.Equal(source, formatted) {
			t.Errorf("%s: gofmt changes it, or %v", file, err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".cordon")
		write(name+"/"+name+".go", source)
	}
	use, err := os.ReadFile("testdata/use_test.go")
	if err != nil {
		t.Fatal(err)
	}
	write("use_test.go", use)
	write("go.mod", []byte("module generated\n\ngo 1.19\n\nrequire cordon.internal/cordon v0.0.0\n\nreplace cordon.internal/cordon => "+
		filepath.Dir(here)+"\n"))
	return dir
}

func TestWhatIsGeneratedIsCleanAndCalls(t *testing.T) {
	dir := module(t)
	for _, args := range [][]string{{"vet", "./..."}, {"test", "-count=1", "./..."}} {
		command := exec.Command("go", args...)
		command.Dir = dir
		if said, err := command.CombinedOutput(); err != nil {
			t.Errorf("go %v: %v\n%s", args, err, said)
		}
	}
}

func TestWhatCannotBeGeneratedIsSaid(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fine := file("fine.cordon", "int abs(int j);")
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"go"}, 2, "needs a LANGUAGE and a FILE"},
		{[]string{"cobol", fine}, 2, "no generator for 'cobol'"},
		{[]string{"go", fine, fine}, 2, "one FILE"},
		{[]string{"go", filepath.Join(dir, "none")}, 1, "No such file"},
		{[]string{"go", file("wrong.cordon", "int abs(;")}, 2, "expected"},
		{[]string{"go", "--package", "No Name", fine}, 2, "cannot be a package's name"},
		{[]string{"go", "--package", "func", fine}, 2, "cannot be a package's name in Go"},
		{[]string{"go", file("7.cordon", "int abs(int j);")}, 2, "cannot be a package's name"},
		{[]string{"go", file("long.cordon", "int "+strings.Repeat("f", 100)+"(void);")}, 2, "too long"},
	} {
		source, status, said := generate(t, c.args...)
		if status != c.status || !strings.Contains(said, c.says) || len(source) > 0 {
			t.Errorf("%v: %d, %q, %d bytes", c.args, status, said, len(source))
		}
	}
	source, _, _ := generate(t, "go", "--package", "mine", fine)
	if text := string(source); !strings.Contains(text, "\npackage mine\n") || !strings.Contains(text, "library string, with") {
		t.Errorf("without a library: %s", text)
	}
}
