#!/bin/sh
# Runs every test runner, and ends with one line: "N passed, N failed, N skipped". A runner that fails without naming a failed test
# (it did not compile, it crashed) counts as one. Called by `make test`, which has built and installed what this needs.
set -u

cd "$(dirname "$0")/.." || exit 1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed=0 failed=0 skipped=0

# run NAME COMMAND…: shows the output, and keeps it for counting.
run() {
    name=$1
    shift
    echo "== $name"
    { "$@" 2>&1 </dev/null; echo $? >"$logs/status"; } | tee "$logs/output"
    status=$(cat "$logs/status")
    # Cargo: "test result: ok. 12 passed; 0 failed; 1 ignored; …". Node: "# pass 12" or "ℹ pass 12".
    counts=$(awk '
        $1 == "test" && $2 == "result:" {
            for (i = 3; i <= NF; i++) {
                if ($i == "passed;") passed += $(i - 1)
                if ($i == "failed;") failed += $(i - 1)
                if ($i == "ignored;") skipped += $(i - 1)
            }
        }
        NF == 3 && ($1 == "#" || $1 == "ℹ") {
            if ($2 == "pass") passed += $3
            if ($2 == "fail" || $2 == "cancelled") failed += $3
            if ($2 == "skipped" || $2 == "todo") skipped += $3
        }
        END { print passed + 0, failed + 0, skipped + 0 }
    ' "$logs/output")
    # shellcheck disable=SC2086 # words on purpose
    set -- $counts
    if [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; then
        echo "== $name ended with status $status and named no failed test"
        set -- "$1" 1 "$3"
    fi
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

in_folder() {
    (cd "$1" && shift && "$@")
}

run "the crates" cargo test --workspace --locked --no-fail-fast
run "the pages" in_folder console npm test --silent
run "the browsers" in_folder tests/browser npm test --silent
run "the real parts" in_folder tests/interop npm test --silent
run "the calls" in_folder tests/rtcd npm test --silent
run "the channels" in_folder tests/verto npm test --silent

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
