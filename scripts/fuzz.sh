#!/bin/sh
# Builds every fuzz target on the stable compiler and runs each for some seconds: scripts/fuzz.sh SECONDS [TARGET…]. What is found new goes
# to fuzz/target/corpus; fuzz/corpus, which is committed, is only read. Ends at the first target that fails.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
case "${CARGO_TARGET_DIR:-}" in
"") built=$top/fuzz/target ;;
/*) built=$CARGO_TARGET_DIR/fuzz ;;
*) built=$(pwd)/$CARGO_TARGET_DIR/fuzz ;;
esac
cd "$top/fuzz"
seconds=$1
shift
# AddressSanitizer's runtime and the coverage pass are parts of every toolchain, but their switches are called unstable.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address"
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --release --locked --target "$host" --target-dir "$built"
[ $# -gt 0 ] || set -- $(cd fuzz_targets && ls ./*.rs | sed 's|^\./||; s|\.rs$||')
mkdir -p "$built/corpus"
for target; do
    found=$built/corpus/$target
    mkdir -p "$found"
    "$built/$host/release/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -artifact_prefix="$found." -print_final_stats=1 "$found" "corpus/$target" >"$found.log" 2>&1 || {
        tail -40 "$found.log"
        echo "$target failed. Again: $(ls -t "$found".*-* 2>/dev/null | head -1 | sed "s|^|$built/$host/release/$target |")"
        exit 1
    }
    awk -v target="$target" '
        /stat::number_of_executed_units/ { runs = $2 }
        /stat::average_exec_per_sec/ { rate = $2 }
        /stat::peak_rss_mb/ { memory = $2 }
        / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") places = $(i + 1) }
        END { printf "%-22s %10d runs, %7d a second, %6d places reached, %5d MB\n", target, runs, rate, places, memory }
    ' "$found.log"
done
