#!/bin/sh
# Builds every fuzz target on the stable compiler and runs each for some seconds: scripts/fuzz.sh SECONDS [TARGET…]. What is found new goes
# to fuzz/target/corpus; fuzz/corpus, which is committed, is only read.
set -eu

cd "$(dirname "$0")/../fuzz"
seconds=$1
shift
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address -Ccodegen-units=1"
built=${CARGO_TARGET_DIR:-target}
cargo build --release --locked --target x86_64-unknown-linux-gnu --target-dir "$built/fuzz"
[ $# -gt 0 ] || set -- $(cd fuzz_targets && ls ./*.rs | sed 's|^\./||; s|\.rs$||')
for target; do
    found=$built/fuzz/corpus/$target
    mkdir -p "$found" "corpus/$target"
    echo "== $target, $seconds s"
    "$built/fuzz/x86_64-unknown-linux-gnu/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$found." -print_final_stats=1 "$found" "corpus/$target" >"$found.log" 2>&1 || {
        tail -40 "$found.log"
        echo "== $target failed; the input is beside $found"
        exit 1
    }
    grep -E "stat::number_of_executed_units|stat::peak_rss_mb" "$found.log"
done
