#!/bin/sh
# Is the candidate slower than the kept baseline? Both are measured in one interleaved run, then judged.
#
#     gate.sh BASELINE CANDIDATE
#
# Both are builds: a GGUF file or an ONNX folder. Exit codes: 0 passed; 1 failed, or the candidate does not run;
# 2 something that was given is wrong; 3 nothing could be measured; 4 undecided (see UNDECIDED); 130 interrupted.
# In OUT it leaves run.jsonl, compare.md for a pull request, and junit.xml.
#
# Variables:
#   FAIL_IF    what must not be, one condition a line   (decode_tps < -5%)
#   RUN_FLAGS  flags of `edgeprof run`, one setting each (--processes 30)
#   OUT        folder for what it writes                 (edgeprof-gate)
#   UNDECIDED  exit code of an undecided gate; 0 lets it pass (4)
#   KEEP       yes: a candidate that passed becomes the baseline, and so does the first one there is (no)
#   EDGEPROF   the command                               (edgeprof)
set -u

if [ $# -ne 2 ]; then
    echo "usage: gate.sh BASELINE CANDIDATE" >&2
    exit 2
fi
baseline=$1
candidate=$2
FAIL_IF=${FAIL_IF:-decode_tps < -5%}
RUN_FLAGS=${RUN_FLAGS:---processes 30}
OUT=${OUT:-edgeprof-gate}
UNDECIDED=${UNDECIDED:-4}
KEEP=${KEEP:-no}
EDGEPROF=${EDGEPROF:-edgeprof}

say() {
    echo "gate: $*" >&2
}

# Copies first and replaces then, so that a full disk leaves the old baseline.
keep() {
    [ "$KEEP" = yes ] || return 0
    mkdir -p "$(dirname "$baseline")" && rm -rf "$baseline.new" && cp -R "$candidate" "$baseline.new" &&
        rm -rf "$baseline" && mv "$baseline.new" "$baseline" || exit 2
    say "the candidate is the baseline now"
}

# Whether a build loads with these flags. RUN_FLAGS and EDGEPROF are words, so they stand without quotes.
loads() {
    $EDGEPROF run "$1" $RUN_FLAGS --dry-run >/dev/null
}

mkdir -p "$OUT" && rm -f "$OUT/run.jsonl" "$OUT/compare.md" "$OUT/junit.xml" || exit 2

if [ ! -e "$candidate" ]; then
    say "there is no candidate $candidate"
    exit 2
fi
if [ ! -e "$baseline" ] && [ "$KEEP" != yes ]; then
    say "there is no baseline $baseline: with KEEP=yes the candidate becomes the first one"
    exit 2
fi
if [ -e "$baseline" ] && ! loads "$baseline"; then
    say "the baseline does not load, or RUN_FLAGS are wrong"
    exit 2
fi
if ! loads "$candidate"; then
    say "the candidate does not load"
    printf '## edgeprof: gate failed\n\nThe candidate does not load: see the log.\n' >"$OUT/compare.md"
    printf '%s\n' '<?xml version="1.0" encoding="UTF-8"?>' \
        '<testsuites><testsuite name="edgeprof gate" tests="1" failures="1" errors="0" skipped="0">' \
        '<testcase classname="candidate" name="loads" time="0"><failure message="it does not load: see the log"/>' \
        '</testcase></testsuite></testsuites>' >"$OUT/junit.xml"
    exit 1
fi
if [ ! -e "$baseline" ]; then
    keep
    exit 0
fi

$EDGEPROF run "$baseline" "$candidate" $RUN_FLAGS -o "$OUT/run.jsonl"
code=$?
if [ $code -ne 0 ]; then
    say "the run ended with code $code"
    exit $code
fi

set --
while IFS= read -r condition; do
    [ -z "$condition" ] || set -- "$@" --fail-if "$condition"
done <<CONDITIONS
$FAIL_IF
CONDITIONS
$EDGEPROF compare "$OUT/run.jsonl" "$@" -o "$OUT/compare.md" --junit "$OUT/junit.xml"
code=$?
[ ! -e "$OUT/compare.md" ] || cat "$OUT/compare.md"
case $code in
0)
    keep
    exit 0
    ;;
4)
    say "undecided: more rounds may decide, see the table"
    exit "$UNDECIDED"
    ;;
*)
    exit $code
    ;;
esac
