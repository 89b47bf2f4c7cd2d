// Examples of rules for `[evidence] rules`: copy this file into that folder, or write your own there. What a rule may say of itself in
// `meta`, and what it looks at, is in docs/traps/evidence.md. A test of ours holds each of these against a real upload.

import "math"

rule mirai_loader : botnet
{
    meta:
        description = "Mirai's loader, or one of its children"
        reference = "https://github.com/jgamblin/Mirai-Source-Code"
        score = 60
        hostile = true
    strings:
        $busybox = "/bin/busybox "
        $fetch = /(wget|tftp|curl) [^\n]{1,80}\.(arm[4-7]?|mips|mpsl|x86|sh4|ppc)/
    condition:
        all of them
}

rule miner : cryptojacking
{
    meta:
        description = "settings of a miner: a pool"
        severity = 50
        hostile = true
    strings:
        $pool = /stratum\+(tcp|ssl):\/\/[a-z0-9.-]{4,60}/ nocase
    condition:
        $pool
}

// A rule about a file sees the file as if it were alone: `at 0` and `uint32(0)` mean its first octets, not those of the request around it.
rule packed_program
{
    meta:
        description = "an ELF program packed with UPX"
        score = 30
    strings:
        $upx = "UPX!"
    condition:
        uint32(0) == 0x464c457f and $upx
}

// Not hostile by itself: whoever sends something compressed is told of, and scored.
rule dense_upload
{
    meta:
        description = "an upload that is encrypted or packed"
        score = 15
    condition:
        filesize > 2KB and math.entropy(0, filesize) >= 7.8
}
