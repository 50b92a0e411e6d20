#!/bin/sh
# Is the candidate slower than the baseline, on boards that OpenSSH reaches? One run file, one verdict for each board, one page.
#
#     boards.sh BASELINE CANDIDATE NAME=USER@BOARD...
#
# Exit codes: 0 passed on every board; 1 failed on one; 2 a board or something that was given is wrong; 3 nothing could be measured on one;
# 4 undecided on one (see UNDECIDED); 130 interrupted. 1 is before all others, then 2, 3, 4. In OUT it leaves boards.jsonl, boards.html, and of each board
# NAME.md and NAME.xml (JUnit). A run that was cut short is gone on with when the same words are given again.
#
# Variables:
#   FAIL_IF    what must not be, one condition a line   (decode_tps < -5%)
#   RUN_FLAGS  flags of `edgeprof run`, one setting each (--processes 20)
#   PYTHON     Python on the boards                      (python3)
#   OUT        folder for what it writes                 (edgeprof-boards)
#   UNDECIDED  exit code of an undecided gate; 0 lets it pass (4)
#   EDGEPROF   the command                               (edgeprof)
set -u

if [ $# -lt 3 ]; then
    echo "usage: boards.sh BASELINE CANDIDATE NAME=USER@BOARD..." >&2
    exit 2
fi
baseline=$1
candidate=$2
shift 2
boards=$*
FAIL_IF=${FAIL_IF:-decode_tps < -5%}
RUN_FLAGS=${RUN_FLAGS:---processes 20}
PYTHON=${PYTHON:-python3}
OUT=${OUT:-edgeprof-boards}
UNDECIDED=${UNDECIDED:-4}
EDGEPROF=${EDGEPROF:-edgeprof}
run=$OUT/boards.jsonl

say() {
    echo "boards: $*" >&2
}

# 1 outweighs 2, 2 outweighs 3, 3 outweighs 4, and all of them 0.
worst() {
    for code in 1 2 3 4; do
        [ "$1" != $code ] && [ "$2" != $code ] || { echo $code && return; }
    done
    echo 0
}

mkdir -p "$OUT" || exit 2
for board in $boards; do
    case $board in
    ?*=?*) set -- "$@" --on "$board" ;;
    *) say "$board: name it, as in pi5=pi@raspberrypi.local" && exit 2 ;;
    esac
    shift
done

set -- "$baseline" "$candidate" "$@" --board-python "$PYTHON"
# RUN_FLAGS and EDGEPROF are words, so they stand without quotes.
if [ -e "$run" ]; then
    $EDGEPROF run "$@" --resume "$run" >/dev/null
else
    $EDGEPROF run "$@" $RUN_FLAGS -o "$run" >/dev/null
fi
result=$?
[ $result -ne 130 ] || exit 130
[ -e "$run" ] || exit "$result"

set --
while IFS= read -r condition; do
    [ -z "$condition" ] || set -- "$@" --fail-if "$condition"
done <<CONDITIONS
$FAIL_IF
CONDITIONS
for board in $boards; do
    name=${board%%=*}
    $EDGEPROF compare "$run#$name" "$@" -o "$OUT/$name.md" --junit "$OUT/$name.xml"
    code=$?
    [ $code -ne 4 ] || code=$UNDECIDED
    say "$name: $code"
    result=$(worst "$result" "$code")
done
$EDGEPROF report "$run" -o "$OUT/boards.html" || result=$(worst "$result" 2)
exit "$result"
