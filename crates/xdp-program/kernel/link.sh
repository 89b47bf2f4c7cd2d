#!/bin/sh
# Links the XDP program with LLVM's own `opt` and `llc`, for machines without bpf-linker. rustc calls it with one bitcode
# object (the whole program after link-time optimisation), a file of exported symbols, the processor and the output.
# HONEYMESH_BPF_OPT and HONEYMESH_BPF_LLC say which tools: at least as new as the LLVM inside rustc.
set -eu
object='' symbols='' output='' cpu=v3
while [ $# -gt 0 ]; do
    case $1 in
        --export-symbols) symbols=$2; shift ;;
        --cpu) cpu=$2; shift ;;
        -o) output=$2; shift ;;
        -L) shift ;;
        *.o) [ -z "$object" ] || { echo "link.sh: more than one object: $object and $1" >&2; exit 1; }; object=$1 ;;
    esac
    shift
done
[ -n "$object" ] && [ -n "$output" ] || { echo "link.sh: no object or no output named" >&2; exit 1; }
"$HONEYMESH_BPF_OPT" -strip-debug -passes='internalize,default<O3>' -internalize-public-api-file="$symbols" \
    "$object" -o "$output.bc"
"$HONEYMESH_BPF_LLC" -march=bpfel -mcpu="$cpu" -O3 -filetype=obj "$output.bc" -o "$output"
rm -f "$output.bc"
