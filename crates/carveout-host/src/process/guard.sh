# Ends what a carveout that was killed has left running. $1 is the mark in the environment of all that it started; each line of
# stdin names what runs now, as kill(2) takes it: a negative number is a process group. The end of stdin is the end of carveout.
trap '' HUP INT TERM
left=
while read -r line; do left=$line; done
[ -n "$left" ] || exit 0
round=0
while [ "$round" -lt 60 ]; do
    # Programs that have made a session of their own are in no group of ours.
    marked=$(grep -lzxFs -e "$1" /proc/[0-9]*/environ | cut -d/ -f3)
    # In order at first, and at once after two seconds; meanwhile it is looked.
    case $round in
        0) signal=TERM ;;
        ?|1?) signal=0 ;;
        *) signal=KILL ;;
    esac
    living=
    for each in $left $marked; do
        # A number that is no longer ours is not asked again.
        if kill -s "$signal" -- "$each" 2> /dev/null; then living="$living $each"; fi
    done
    left=$living
    [ -n "$left" ] || exit 0
    sleep 0.1
    round=$((round + 1))
done
