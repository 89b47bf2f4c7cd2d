// The benchmark's story told to hashicorp/memberlist: NODES BANS NODES_BURST BURST IDLE_SECONDS PATIENCE_SECONDS.
package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// As long as a record of ours, signature included.
const recordBytes = 165

type arrival struct {
	node int
	id   uint64
	at   time.Time
}

type broadcast struct{ message []byte }

func (b broadcast) Invalidates(memberlist.Broadcast) bool { return false }
func (b broadcast) Message() []byte                       { return b.message }
func (b broadcast) Finished()                             {}

type node struct {
	number   int
	list     *memberlist.Memberlist
	queue    *memberlist.TransmitLimitedQueue
	mutex    sync.Mutex
	seen     map[uint64][]byte
	arrivals chan arrival
	count    int64
}

func (n *node) NodeMeta(int) []byte { return nil }
func (n *node) NotifyMsg(message []byte) {
	if len(message) >= 8 {
		n.take(append([]byte(nil), message...))
	}
}
func (n *node) GetBroadcasts(overhead, limit int) [][]byte { return n.queue.GetBroadcasts(overhead, limit) }
func (n *node) LocalState(bool) []byte {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	var state []byte
	for _, message := range n.seen {
		state = append(state, message...)
	}
	return state
}
func (n *node) MergeRemoteState(state []byte, _ bool) {
	for ; len(state) >= recordBytes; state = state[recordBytes:] {
		n.take(append([]byte(nil), state[:recordBytes]...))
	}
}

func (n *node) take(message []byte) {
	id := binary.BigEndian.Uint64(message)
	n.mutex.Lock()
	_, known := n.seen[id]
	n.seen[id] = message
	n.mutex.Unlock()
	if known {
		return
	}
	atomic.AddInt64(&n.count, 1)
	n.queue.QueueBroadcast(broadcast{message})
	select {
	case n.arrivals <- arrival{n.number, id, time.Now()}:
	default:
	}
}

func (n *node) say(id uint64) {
	message := make([]byte, recordBytes)
	rand.Read(message)
	binary.BigEndian.PutUint64(message, id)
	n.take(message)
}

// Counts what is sent over loopback by the kernel's own count, which has headers in it: 28 bytes a datagram.
func sentBytes() float64 {
	text, _ := os.ReadFile("/sys/class/net/lo/statistics/tx_bytes")
	var value float64
	fmt.Sscan(string(text), &value)
	return value
}

func start(size int) ([]*node, chan arrival) {
	key := make([]byte, 32)
	rand.Read(key)
	arrivals := make(chan arrival, 1<<20)
	nodes := make([]*node, size)
	for number := range nodes {
		n := &node{number: number, seen: map[uint64][]byte{}, arrivals: arrivals}
		config := memberlist.DefaultLANConfig()
		config.Name = "node-" + strconv.Itoa(number)
		config.BindAddr, config.BindPort, config.AdvertisePort = "127.0.0.1", 0, 0
		config.Delegate, config.SecretKey = n, key
		config.Logger = log.New(io.Discard, "", 0)
		n.queue = &memberlist.TransmitLimitedQueue{RetransmitMult: config.RetransmitMult, NumNodes: func() int { return size }}
		list, err := memberlist.Create(config)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		n.list = list
		nodes[number] = n
		if number > 0 {
			first := nodes[0].list.LocalNode()
			list.Join([]string{net.JoinHostPort(first.Addr.String(), strconv.Itoa(int(first.Port)))})
		}
	}
	return nodes, arrivals
}

func stop(nodes []*node) {
	for _, n := range nodes {
		n.list.Shutdown()
	}
}

func wait(nodes []*node, patience time.Duration, isSo func(*node) bool) (float64, bool) {
	began := time.Now()
	for {
		all := true
		for _, n := range nodes {
			all = all && isSo(n)
		}
		if all {
			return time.Since(began).Seconds(), true
		}
		if time.Since(began) > patience {
			return 0, false
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

func main() {
	number := func(at int) int { value, _ := strconv.Atoi(os.Args[at]); return value }
	size, bans, sizeBurst, burst := number(1), number(2), number(3), number(4)
	idle, patience := time.Duration(number(5))*time.Second, time.Duration(number(6))*time.Second

	began := time.Now()
	nodes, arrivals := start(size)
	if _, ok := wait(nodes, patience, func(n *node) bool { return n.list.NumMembers() == size }); ok {
		fmt.Printf("all nodes see all, s: %f\n", time.Since(began).Seconds())
	}
	time.Sleep(3 * time.Second)
	before := sentBytes()
	time.Sleep(idle)
	rate := (sentBytes() - before) / float64(size) / idle.Seconds()
	fmt.Printf("idle, bytes a second a node: %f\n", rate)

	before, began = sentBytes(), time.Now()
	var halves, wholes []float64
	for ban := 0; ban < bans; ban++ {
		said := time.Now()
		nodes[ban*37%size].say(uint64(ban) + 1)
		var times []float64
		limit := time.After(10 * time.Second)
	gather:
		for len(times) < size {
			select {
			case a := <-arrivals:
				if a.id == uint64(ban)+1 {
					times = append(times, a.at.Sub(said).Seconds()*1000)
				}
			case <-limit:
				break gather
			}
		}
		if len(times) == size {
			sort.Float64s(times)
			halves, wholes = append(halves, times[size/2]), append(wholes, times[size-1])
		}
		time.Sleep(150 * time.Millisecond)
	}
	took := time.Since(began).Seconds()
	fmt.Printf("bytes a ban a node: %f\n", ((sentBytes()-before)/float64(size)-rate*took)/float64(bans))
	fmt.Printf("bans that reached all nodes, of 100: %f\n", 100*float64(len(wholes))/float64(bans))
	if len(wholes) > 0 {
		fmt.Printf("one ban to half of the nodes, ms, median: %f\n", median(halves))
		fmt.Printf("one ban to all nodes, ms, median: %f\n", median(wholes))
		fmt.Printf("one ban to all nodes, ms, worst: %f\n", wholes[len(wholes)-1])
	}
	stop(nodes)

	nodes, _ = start(sizeBurst)
	wait(nodes, patience, func(n *node) bool { return n.list.NumMembers() == sizeBurst })
	time.Sleep(3 * time.Second)
	before, began = sentBytes(), time.Now()
	for id := 0; id < burst; id++ {
		nodes[0].say(uint64(id) + 1)
	}
	if _, ok := wait(nodes, patience, func(n *node) bool { return int(atomic.LoadInt64(&n.count)) >= burst }); ok {
		fmt.Printf("many bans at once to all nodes, s: %f\n", time.Since(began).Seconds())
		fmt.Printf("many bans at once, bytes a ban a node: %f\n", (sentBytes()-before)/float64(sizeBurst)/float64(burst))
	}
	fewest := int64(burst)
	for _, n := range nodes {
		if count := atomic.LoadInt64(&n.count); count < fewest {
			fewest = count
		}
	}
	fmt.Printf("many bans at once, of 100 on the node with fewest: %f\n", 100*float64(fewest)/float64(burst))
	stop(nodes)
}
