#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `cordon call` as a person uses it: exit status, JSON, and the sentence for what is wrong.
# Usage: run.sh CORDON FAULTS-LIBRARY INTERFACES

set -u
cordon=$1
faults=$2
interfaces=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
XDG_STATE_HOME=$work/state # where reports go
export XDG_STATE_HOME
printf 'The quick brown fox jumps over the lazy dog\n' >"$work/fox"
cases=0
failures=0

# Times differ from run to run.
without_times() {
    sed -E 's/,"elapsed_us":[0-9.e+-]+//; s/("elapsed_us_[a-z]+":)[0-9.e+-]+/\10/g'
}

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n  wanted: %s\n  got:    %s (exit status %s)\n' "$1" "$2" "$3" "$4"
    sed 's/^/  stderr: /' "$work/stderr"
}

run() {
    timeout 60 "$cordon" "$@" >"$work/stdout" 2>"$work/stderr" </dev/null
}

# done JSON ARGUMENT...: exit status 0 and exactly this object.
done_with() {
    wanted=$1
    shift
    cases=$((cases + 1))
    run call "$@"
    status=$?
    got=$(without_times <"$work/stdout")
    if [ "$status" -ne 0 ] || [ "$got" != "$wanted" ]; then
        fail "$*" "$wanted" "$got" "$status"
    fi
}

# ends STATUS PATTERN ARGUMENT...: another outcome; standard output matches the shell pattern.
ends_with() {
    wanted_status=$1
    pattern=$2
    shift 2
    cases=$((cases + 1))
    run call "$@"
    status=$?
    got=$(without_times <"$work/stdout")
    # shellcheck disable=SC2254 # a pattern is what is wanted
    case $got in
    $pattern) [ "$status" -eq "$wanted_status" ] && return ;;
    esac
    fail "$*" "$wanted_status $pattern" "$got" "$status"
}

# refused STATUS PART ARGUMENT...: nothing on standard output, a sentence with PART on standard error.
refused() {
    wanted_status=$1
    part=$2
    shift 2
    cases=$((cases + 1))
    run "$@"
    status=$?
    if [ "$status" -ne "$wanted_status" ] || [ -s "$work/stdout" ] ||
        ! grep -qF -- "$part" "$work/stderr"; then
        fail "$*" "$wanted_status $part" "$(cat "$work/stdout")" "$status"
    fi
}

# prints WANTED ARGUMENT...: exit status 0 and these bytes.
prints() {
    wanted=$1
    shift
    cases=$((cases + 1))
    run "$@"
    status=$?
    got=$(cat "$work/stdout")
    if [ "$status" -ne 0 ] || [ "$got" != "$wanted" ]; then
        fail "$*" "$wanted" "$got" "$status"
    fi
}

crc32='uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len)'
compress='int compress(out uint8_t dest[*destLen], inout unsigned long *destLen, const uint8_t source[n], unsigned long n)'
snprintf='int snprintf(out char s[n], size_t n, const char *format, ...)'
fault() {
    printf 'int fault_%s(int value)' "$1"
}

# --- numbers -----------------------------------------------------------------------------------
done_with '{"outcome":"done","return":5,"out":{},"errno":0}' libc.so.6 'int abs(int x)' -5
done_with '{"outcome":"done","return":9223372036854775807,"out":{},"errno":0}' \
    libc.so.6 'long labs(long x)' -9223372036854775807
done_with '{"outcome":"done","return":18446744073709551615,"out":{},"errno":0}' \
    libc.so.6 'uint64_t strtoul(const char *s, void *end, int base)' 18446744073709551615 null 10
done_with '{"outcome":"done","return":20,"out":{"s":"18446744073709551615"},"errno":0}' \
    libc.so.6 'int snprintf(out char s[n], size_t n, const char *format, uint64_t number)' \
    32 %lu 18446744073709551615 --level inline
done_with '{"outcome":"done","return":0.5,"out":{},"errno":0}' libm.so.6 'double fabs(double x)' -0.5
done_with '{"outcome":"done","return":3.0,"out":{},"errno":0}' libm.so.6 'double sqrt(double x)' 9
done_with '{"outcome":"done","return":"nan","out":{},"errno":{"name":"EDOM","number":33}}' \
    libm.so.6 'double sqrt(double x)' -1
done_with '{"outcome":"done","return":"-inf","out":{},"errno":{"name":"ERANGE","number":34}}' \
    libm.so.6 'double log(double x)' 0
done_with '{"outcome":"done","return":0.1,"out":{},"errno":0}' libm.so.6 'float fabsf(float x)' 0.1
done_with '{"outcome":"done","return":0.5,"out":{"exp":4},"errno":0}' \
    libm.so.6 'double frexp(double x, out int *exp)' 8.0
done_with '{"outcome":"done","return":true,"out":{},"errno":0}' libc.so.6 'bool abs(int x)' true

# --- bytes and strings -------------------------------------------------------------------------
crc_fox='{"outcome":"done","return":'$(gzip -c "$work/fox" | tail -c 8 | head -c 4 | od -An -tu4 | tr -d ' ')',"out":{},"errno":0}'
done_with "$crc_fox" libz.so.1 "$crc32" 0 "@$work/fox"
done_with '{"outcome":"done","return":891568578,"out":{},"errno":0}' libz.so.1 "$crc32" 0 abc
done_with '{"outcome":"done","return":891568578,"out":{},"errno":0}' libz.so.1 "$crc32" 0 hex:616263
done_with '{"outcome":"done","return":891568578,"out":{},"errno":0}' libz.so.1 "$crc32" 0 base64:YWJj
done_with '{"outcome":"done","return":891568578,"out":{},"errno":0}' libz.so.1 "$crc32" 0 'json:[97,98,99]'
done_with '{"outcome":"done","return":0,"out":{},"errno":0}' libz.so.1 "$crc32" 0 ''
done_with '{"outcome":"done","return":0,"out":{},"errno":0}' libz.so.1 "$crc32" 0 @-
done_with '{"outcome":"done","return":0,"out":{"dest":{"base64":"eJxLTMQGAF/zCFc="},"destLen":11},"errno":0}' \
    libz.so.1 "$compress" 100 aaaaaaaaaaaaaaaaaaaaaa
done_with '{"outcome":"done","return":-5,"out":{"dest":{"base64":"eJxL"},"destLen":3},"errno":0}' \
    libz.so.1 "$compress" 3 aaaaaaaaaaaaaaaaaaaaaa
done_with '{"outcome":"done","return":5,"out":{},"errno":0}' libc.so.6 'size_t strlen(const char *s)' hello
done_with '{"outcome":"done","return":4,"out":{},"errno":0}' libc.so.6 'size_t strlen(const char *s)' text:null
done_with '{"outcome":"done","return":"Success","out":{},"errno":0}' \
    libc.so.6 'const char *strerror(int number)' 0
done_with '{"outcome":"done","return":null,"out":{},"errno":0}' \
    libc.so.6 'const char *getenv(const char *name)' NO_SUCH_NAME
done_with '{"outcome":"done","return":4,"out":{"s":"ab-5"},"errno":0}' \
    libc.so.6 'int asprintf(out owned(free) char **s, const char *format, ...)' '%s-%d' ab 5
done_with '{"outcome":"done","return":12,"out":{"end":2},"errno":0}' \
    libc.so.6 'long strtol(const char *s, out within(s) char **end, int base)' 12ab 10

# --- varargs, at every level -------------------------------------------------------------------
for level in process thread inline; do
    done_with '{"outcome":"done","return":27,"out":{"s":"7 dwarfs 1.50 -5000000000 x"},"errno":0}' \
        --level $level libc.so.6 "$snprintf" 64 '%d %s %.2f %ld %s' 7 dwarfs 1.5 -5000000000 x
    done_with '{"outcome":"done","return":10,"out":{"s":"abc"},"errno":0}' \
        --level $level libc.so.6 "$snprintf" 4 '%s' abcdefghij
done

# --- structs and arrays ------------------------------------------------------------------------
unions='struct v { int kind; union { case 1: long i; case 2: double d; } u[3] switch(kind); }; void srand(struct v *v)'
done_with '{"outcome":"done","return":null,"out":{"v":{"kind":1,"u":[{"i":5},{"i":-6},{"i":0}]}},"errno":0}' \
    libc.so.6 "$unions" '{"u":[{"i":5},{"i":-6}]}'
done_with '{"outcome":"done","return":null,"out":{"v":{"kind":2,"u":[{"d":0.5},{"d":0.0},{"d":0.0}]}},"errno":0}' \
    libc.so.6 "$unions" '{"kind":2,"u":[{"d":0.5},null]}'
refused 2 "argument 1 'v'.u[1]: union has no member 'x'" call libc.so.6 "$unions" '{"u":[{"i":5},{"x":1}]}'
refused 2 'no more elements' call libc.so.6 "$unions" '{"u":[null,null,null,null]}'
done_with '{"outcome":"done","return":{"quot":3,"rem":2},"out":{},"errno":0}' \
    libc.so.6 'struct d { int quot; int rem; }; struct d div(int a, int b)' 17 5
done_with '{"outcome":"done","return":86400,"out":{"t":{"sec":0,"min":0,"hour":0,"mday":2,"mon":0,"year":70,"wday":5,"yday":1,"isdst":0,"gmtoff":0,"zone":null}},"errno":0}' \
    --grant locale libc.so.6 'struct tm { int sec, min, hour, mday, mon, year, wday, yday, isdst; long gmtoff; const char *zone; }; long timegm(inout struct tm *t)' \
    '{"mday":2,"year":70}'
ends_with 0 '{"outcome":"done","return":5,"out":{*},"errno":0}' \
    libc.so.6 'struct v { const uint8_t base[len]; size_t len; }; ssize_t writev(int fd, const struct v v[n], int n)' \
    2 '[{"base":"ab"},{"base":"cd\n"}]'
done_with '{"outcome":"done","return":0,"out":{"db":{"handle":"sqlite3:1.1.0"}},"errno":0}' \
    libsqlite3.so.0 'struct sqlite3; int sqlite3_open(const char *name, out struct sqlite3 **db)' :memory:

# --- objects that live in the worker -----------------------------------------------------------
ends_with 0 '{"outcome":"done","return":0,"out":{"preg":{*"re_nsub":1*}},"errno":0}' \
    --interface "$interfaces/libc.cordon" libc.so.6 regcomp '{}' 'a(b+)c' 1

# --- options -----------------------------------------------------------------------------------
done_with '{"outcome":"done","return":5,"out":{},"errno":0,"repeat":{"calls":7,"elapsed_us_median":0,"elapsed_us_min":0,"elapsed_us_max":0}}' \
    --repeat 7 libc.so.6 'int abs(int x)' -5
done_with '{"outcome":"done","return":0,"out":{"dest":{"base64":"eJxLTMQGAF/zCFc="},"destLen":11},"errno":0,"repeat":{"calls":3,"elapsed_us_median":0,"elapsed_us_min":0,"elapsed_us_max":0}}' \
    --repeat 3 libz.so.1 "$compress" 100 aaaaaaaaaaaaaaaaaaaaaa
done_with "$crc_fox" --interface "$interfaces/zlib.cordon" - crc32 0 "@$work/fox"
done_with "$crc_fox" --interface "$interfaces/zlib.cordon" libz.so.1 crc32 0 "@$work/fox"
prints 'ab-5' call --raw s libc.so.6 'int asprintf(out owned(free) char **s, const char *format, ...)' '%s-%d' ab 5
prints 'Success' call --raw return libc.so.6 'const char *strerror(int number)' 0
done_with '{"outcome":"done","return":6,"out":{},"errno":0}' libc.so.6 'int puts(const char *s)' hello
grep -q '^hello$' "$work/stderr" || fail 'puts' 'hello on standard error' "$(cat "$work/stderr")" 0
for without in userns pidns landlock seccomp madv_guard userns,landlock,madv_guard; do
    done_with '{"outcome":"done","return":5,"out":{},"errno":0}' --without $without libc.so.6 'int abs(int x)' -5
done

# --- outcomes ----------------------------------------------------------------------------------
for level in process thread inline; do
    ends_with 3 '{"outcome":"crashed","signal":{"name":"SIGSEGV","number":11}*}' \
        --level $level "$faults" "$(fault null_read)" 1
    ends_with 3 '{"outcome":"crashed","signal":{"name":"SIGABRT","number":6}*}' \
        --level $level "$faults" "$(fault abort)" 1
done
ends_with 3 '{"outcome":"crashed","signal":{"name":"SIGSEGV","number":11}*}' "$faults" "$(fault overflow)" 1
ends_with 3 '{"outcome":"crashed","exit_status":7*}' "$faults" "$(fault exit7)" 1
ends_with 3 '{"outcome":"crashed","exit_status":7*}' "$faults" "$(fault quick_exit7)" 1
ends_with 3 '{"outcome":"crashed"*}' --repeat 5 "$faults" "$(fault fpe)" 1
ends_with 4 '{"outcome":"timeout"*}' --timeout 200ms "$faults" "$(fault spin)" 1
ends_with 4 '{"outcome":"timeout"*}' --timeout 200ms --level thread "$faults" "$(fault pause)" 1

# --- what is wrong -----------------------------------------------------------------------------
refused 1 'nosuch.so.9' call nosuch.so.9 'int f(void)'
refused 1 'absx' call libc.so.6 'int absx(int x)' 1
refused 1 "$work/fox" call "$work/fox" 'int f(void)'
refused 2 'cannot open' call libz.so.1 "$crc32" 0 "@$work/no-such-file"
refused 2 "argument 2 'b': standard input can be read once" \
    call libc.so.6 'int memcmp(const uint8_t a[n], const uint8_t b[n], size_t n)' @- @-
refused 2 "$work/none.cordon" call --interface "$work/none.cordon" - crc32
refused 2 'did you mean '"'crc32'" call --interface "$interfaces/zlib.cordon" - crc23 0 x
refused 2 'prototype:1:' call libc.so.6 'int abs(int x' 1
refused 2 'crc32 takes 2 arguments: crc (uint32_t), buf (bytes); 1 given' call libz.so.1 "$crc32" 0
refused 2 'takes 0 arguments; 1 given' call libc.so.6 'int getpagesize(void)' 1
refused 2 "argument 1 'x': 2147483648 does not fit" call libc.so.6 'int abs(int x)' 2147483648
refused 2 "argument 1 'x': 'one' is no integer" call libc.so.6 'int abs(int x)' one
refused 2 "argument 1 's'" call libc.so.6 'size_t strlen(const char *s)' null
refused 2 '3000000000' call libc.so.6 'int getrandom(out uint8_t b[n], size_t n, unsigned flags)' 3000000000 0
refused 2 'comes out negative' call libc.so.6 'int f(out uint8_t b[n], int n)' -1
refused 2 "has no member 'z'; its members are x, y" \
    call libc.so.6 'struct p { int x; int y; }; int f(const struct p *p)' '{"z":1}'
refused 2 'no JSON' call libc.so.6 'int f(const int a[n], int n)' '[1,'
refused 2 'hexadecimal' call libz.so.1 "$crc32" 0 hex:xyz
refused 2 'a callback cannot be given' call libc.so.6 'int f(int (*callback)(int x))' run
refused 2 "did you mean '--level'" call --levle thread libc.so.6 'int abs(int x)' 1
refused 2 'no level' call --level safe libc.so.6 'int abs(int x)' 1
refused 2 '--timeout takes' call --timeout 3 libc.so.6 'int abs(int x)' 1
refused 2 "no output 't'; it has s" call --raw t libc.so.6 "$snprintf" 9 x
refused 2 'needs a LIBRARY' call
refused 2 "did you mean 'call'" cal libc.so.6

# --- the other commands ------------------------------------------------------------------------
prints 'abs
  in         x                 int
  returns                      int' describe 'int abs(int x)'
prints "cordon $("$cordon" --version | cut -d' ' -f2)" --version
refused 2 'prototype:1:' describe 'int abs(int'
refused 2 "did you mean 'parked'" bench parkt
cases=$((cases + 1))
run describe --json "$interfaces/zlib.cordon" || fail 'describe' 'exit status 0' '' $?
[ "$(wc -l <"$work/stdout")" -eq "$(grep -c '^{"function":"' "$work/stdout")" ] ||
    fail 'describe --json' 'one object for each function' "$(cat "$work/stdout")" 0
for command in call describe doctor bench help; do
    cases=$((cases + 1))
    run $command --help && grep -q "^Usage: cordon $command " "$work/stdout" ||
        fail "$command --help" 'its usage' "$(cat "$work/stdout")" 0
done

# --- doctor -------------------------------------------------------------------------------------
# examines STATUS PATTERN COMMAND...: exit status and what standard output matches.
examines() {
    wanted_status=$1
    pattern=$2
    shift 2
    cases=$((cases + 1))
    timeout 60 "$@" >"$work/stdout" 2>"$work/stderr" </dev/null
    status=$?
    got=$(cat "$work/stdout")
    # shellcheck disable=SC2254 # patterns are what is wanted
    case $status in
    $wanted_status) ;;
    *)
        fail "$*" "$wanted_status $pattern" "$got" "$status"
        return
        ;;
    esac
    # shellcheck disable=SC2254
    case $got in
    $pattern) return ;;
    esac
    fail "$*" "$wanted_status $pattern" "$got" "$status"
}

# The status says the same as the text; no colours where no terminal is.
cases=$((cases + 1))
run doctor
status=$?
if grep -q '^Nothing is missing' "$work/stdout"; then wanted=0; else wanted=1; fi
[ "$status" -eq "$wanted" ] && grep -q '^  landlock ' "$work/stdout" &&
    grep -q '^  cordon-keeper ' "$work/stdout" && grep -q '^  promises  *survives-crash ' "$work/stdout" &&
    ! grep -q "$(printf '\033')" "$work/stdout" || fail 'doctor' "status $wanted, a table" "$(cat "$work/stdout")" "$status"
complete=$([ "$wanted" -eq 0 ] && echo true || echo false)
examines "$wanted" "{\"cordon\":\"*,\"complete\":$complete,\"mechanisms\":?{\"name\":\"seccomp\",*\"strict_cell\":{\"opens\":true,*}}" \
    "$cordon" doctor --json
if command -v python3 >/dev/null; then
    cases=$((cases + 1))
    python3 -c '
import json, sys
table = json.load(open(sys.argv[1]))
for row in table["mechanisms"]:
    assert (row["why"] == "") == (row["in_force"] == "yes"), row
    assert row["means"] and row["in_force"] in ("yes", "partly", "missing"), row
    if row["in_force"] == "missing":
        assert not set(row["promises"]) & set(table["strict_cell"]["promises"]), row
' "$work/stdout" 2>"$work/stderr" || fail 'doctor --json' 'sound JSON' "$(cat "$work/stdout")" 0
fi
refused 2 'takes no operands' doctor now
refused 2 "did you mean '--json'" doctor --jsn
refused 1 'the keeper' doctor --keeper /bin/true
refused 1 '/none/keeper' doctor --keeper /none/keeper
if [ "$(id -u)" -eq 0 ]; then
    examines '[01]' '{*"user":65534,*' "$cordon" doctor --user --json
    if command -v setpriv >/dev/null; then
        examines 1 '*missing*CAP_SYS_PTRACE*lacks *hang-stacks*of the mechanisms*missing*' \
            setpriv --bounding-set -sys_ptrace "$cordon" doctor
        ptrace=$(setpriv --bounding-set -sys_ptrace "$cordon" call --require hang-stacks '' 'int abs(int x)' -1 2>&1)
        cases=$((cases + 1))
        case $ptrace in
        *hang-stacks*ptrace*CAP_SYS_PTRACE*) ;;
        *) fail 'call --require hang-stacks' 'refused, with the reason' "$ptrace" 1 ;;
        esac
    fi
else
    refused 2 '--user is for root' doctor --user
fi

# --- requirements -------------------------------------------------------------------------------
refused 2 'no mechanism or promise' call --require landlok '' 'int abs(int x)' -1
refused 1 'no-processes; seccomp is missing: switched off' \
    call --require no-processes --without seccomp '' 'int abs(int x)' -1
refused 1 'landlock is missing: switched off' \
    call --require landlock --without landlock '' 'int abs(int x)' -1
refused 1 'survives-exit' call --require survives-exit --level thread '' 'int abs(int x)' -1
done_with '{"outcome":"done","return":1,"out":{},"errno":0}' --require survives-crash,heals '' 'int abs(int x)' -1

# --- reports and replay ---------------------------------------------------------------------------
reports=$XDG_STATE_HOME/cordon/reports
rm -rf "$reports"
examines 0 '' "$cordon" report
refused 1 'no report' report last
refused 2 'is no report' report 123
refused 1 'no report' report 0123456789abcdef
refused 2 'one REPORT' report last last
refused 2 '--path needs' report --path
refused 2 'needs a REPORT' replay
refused 1 'there is no report' replay last
ends_with 3 '{"outcome":"crashed",*"report":"????????????????"}' "$faults" 'void fault_null_read(void)'
ends_with 3 '{"outcome":"crashed",*"message":"*during the call*"}' --reports '' "$faults" 'void fault_null_read(void)'
id=$(sed -n 's/.*"report":"\([0-9a-f]*\)".*/\1/p' "$work/stdout")
[ -z "$id" ] || fail 'call --reports ""' 'no report' "$id" 0
run call "$faults" 'void fault_null_read(void)'
id=$(sed -n 's/.*"report":"\([0-9a-f]*\)".*/\1/p' "$work/stdout")
examines 0 "report $id *SIGSEGV*call *fault_null_read()*" "$cordon" report "$id"
examines 0 '{*"what":*"SIGSEGV"*' "$cordon" report --json "$id"
case $(cat "$work/stdout") in *'"frame"'* | *'"plan"'*) fail 'report --json' 'no request' '' 0 ;; esac
examines 0 '*"plan":*' "$cordon" report --json --frame "$id"
examines 0 "$reports/$id.json" "$cordon" report --path "$id"
examines 0 'report *' "$cordon" report "$reports/$id.json"
cp "$reports/$id.json" "$work/whole.json"
examines 0 "report $id *" "$cordon" report last
examines 0 "*$id *SIGSEGV*" "$cordon" report
examines 0 "*{\"id\":\"$id\",*\"function\":\"fault_null_read\"}" "$cordon" report --json
[ "$(stat -c %a "$reports/$id.json")" = 600 ] || fail 'mode of a report' 600 "$(stat -c %a "$reports/$id.json")" 0
refused 1 'No such file' report --directory /none
examines 3 '{"outcome":"crashed","signal":{"name":"SIGSEGV",*' "$cordon" replay "$id"
run call libc.so.6 'void memcpy(void *d, const uint8_t s[n], size_t n)' 8 abc
id=$(sed -n 's/.*"report":"\([0-9a-f]*\)".*/\1/p' "$work/stdout")
examines 0 "report $id *memcpy(*sha256*" "$cordon" report "$id"
examines 3 '{"outcome":"crashed",*' "$cordon" replay "$id"
run call libc.so.6 'void memcpy(void *d, secret const uint8_t s[n], size_t n)' 8 abc
id=$(sed -n 's/.*"report":"\([0-9a-f]*\)".*/\1/p' "$work/stdout")
examines 0 'report *s = secret*not possible*secret*' "$cordon" report "$id"
refused 1 'secret' replay "$id"
# A session: the object that the call needs is made again.
object='struct thing { int a; long b; }; void memcpy(void *d, resident struct thing *t, size_t n)'
run call libc.so.6 "$object" 8 '{"a":3}' 16
id=$(sed -n 's/.*"report":"\([0-9a-f]*\)".*/\1/p' "$work/stdout")
refused 1 'not recorded (option record)' replay "$id"
run call --record libc.so.6 "$object" 8 '{"a":3}' 16
id=$(sed -n 's/.*"report":"\([0-9a-f]*\)".*/\1/p' "$work/stdout")
examines 0 'report *replay *with its session: * calls*' "$cordon" report "$id"
case $("$cordon" report --json "$id") in *'"recording"'*) fail 'report --json' 'no recording' '' 0 ;; esac
examines 3 '{"outcome":"crashed",*"as_reported":true,*"function":"memcpy","differences":0}' "$cordon" replay "$id"
run replay --steps "$id"
grep -q '^call . memcpy$' "$work/stderr" || fail 'replay --steps' 'call N memcpy' "$(cat "$work/stderr")" 0
examines 3 '{"outcome":"crashed",*"as_reported":true,*' "$cordon" replay --inline "$id"
refused 1 'handle' replay --alone "$id"
refused 2 'no policy' replay --policy lax "$id"
sed 's/"policy": "strict"/"policy": "trusted"/' "$reports/$id.json" >"$work/odd.json"
refused 2 'trusted' replay "$work/odd.json"
examines 3 '{"outcome":"crashed",*' "$cordon" replay --policy trusted "$work/odd.json"
sed 's/"recording": "Q1JF/"recording": "Q1JG/' "$reports/$id.json" >"$work/odd.json"
refused 1 'not sound' replay "$work/odd.json"
refused 1 'record needs level process' call --record --level thread '' 'int abs(int x)' -1
if command -v gdb >/dev/null; then
    run call "$faults" 'void fault_null_read(void)'
    examines '*' '*#0 *fault_null_read*' "$cordon" replay --gdb last
fi
printf '{"cordon_report":1,"id":"\033[31mred","threads":[{"stack":[{"function":"\\u001b[2J"}]}]}' >"$work/odd.json"
refused 1 'no report' report "$work/odd.json"
printf '{"cordon_report":1,"id":"x","threads":[{"stack":[{"function":"\\u001b[2J","address":"0x1"}]}]}' >"$work/odd.json"
examines 0 '*?[2J*' "$cordon" report "$work/odd.json"
! grep -q "$(printf '\033')" "$work/stdout" || fail 'a hostile name' 'no escape' '' 0
printf '{"cordon_report":2}' >"$work/odd.json"
refused 1 'another version' report "$work/odd.json"

# --- writing ------------------------------------------------------------------------------------
cases=$((cases + 2))
"$cordon" call libc.so.6 'int abs(int x)' -5 >/dev/full 2>"$work/stderr"
status=$?
[ $status -eq 1 ] || fail 'a full disk' 1 "$(cat "$work/stderr")" $status
"$cordon" call libc.so.6 'int abs(int x)' -5 >&- 2>"$work/stderr"
status=$?
[ $status -eq 1 ] || fail 'closed standard output' 1 "$(cat "$work/stderr")" $status

# A pipe whose reader has gone before anything is written.
mkfifo "$work/pipe"
exec 3<>"$work/pipe" 4>"$work/pipe" 3>&-
unread() {
    cases=$((cases + 1))
    "$cordon" "$@" >&4 2>"$work/stderr" </dev/null
    status=$?
    if [ $status -ne 141 ] || [ -s "$work/stderr" ]; then
        fail "$*, and nobody reads" '141, in silence' "$(cat "$work/stderr")" $status
    fi
}
unread report "$work/whole.json"
unread report --json
unread call libc.so.6 'int abs(int x)' -5
unread doctor
unread --help
exec 4>&-
cases=$((cases + 1))
"$cordon" report "$work/whole.json" >/dev/full 2>"$work/stderr"
status=$?
if [ $status -ne 1 ] || [ "$(wc -l <"$work/stderr")" -ne 1 ]; then
    fail 'a report, and a full disk' '1, one line' "$(cat "$work/stderr")" $status
fi

printf '%d cases, %d failed\n' "$cases" "$failures"
[ "$failures" -eq 0 ]
