// Command gopark-bench-go is the Go side of gopark's bench: the same
// workloads, the same sizes, one sample a process.
//
//	gopark-bench-go WORKLOAD --procs N --size N --warm N
//
// It runs the workload once with the warm size and once with the full size,
// checks both results, and prints one line:
//
//	sample elapsed_ns=... peak_kib=...
//
// and behind that what the workload has in extra.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A workload runs at a size and says what result is right for that size.
type workload struct {
	run  func(size int64) int64
	want func(size int64) int64
}

// sumBelow is 0 + 1 + ... + (n-1).
func sumBelow(n int64) int64 { return n * (n - 1) / 2 }

func same(n int64) int64 { return n }

// workloads has the names of the Rust side; each lives in a file of that name
// there.
var workloads = map[string]workload{
	"spawn":           {spawn, same},
	"spawn_join":      {spawnJoin, sumBelow},
	"sleep":           {sleep, same},
	"yield":           {yield, func(n int64) int64 { return 2 * n }},
	"ping_pong_1p":    {pingPong, sumBelow},
	"ping_pong_2p":    {pingPong, sumBelow},
	"mpmc_buffered":   {func(n int64) int64 { return mpmc(n, 1024) }, sumBelow},
	"mpmc_rendezvous": {func(n int64) int64 { return mpmc(n, 0) }, sumBelow},
	"mutex_contended": {mutexContended, same},
	"select_1p":       {selecting, sumBelow},
	"select_2p":       {selecting, sumBelow},
	"fib":             {fib, fibonacci},
	"skynet":          {skynet, sumBelow},
	"parked":          {parked, same},
	"dump":            {dump, same},
	"dump_beside":     {func(n int64) int64 { return dumpBeside(1, n, 0) }, same},
	"dump_load":       {func(n int64) int64 { return dumpBeside(8, n, 10*time.Millisecond) }, same},
	"echo":            {func(n int64) int64 { return echo(n, false) }, same},
	"echo_beside_10k": {func(n int64) int64 { return echo(n, true) }, same},
	"wake_delay":      {wakeDelay, same},
	"wake_delay_1ms":  {wakeDelay, same},
	"recursion_100":   {recursion(100), same},
	"recursion_1000":  {recursion(1_000), same},
	"recursion_10000": {recursion(10_000), same},
}

// extra has the values that a workload measures itself, by their names in the
// sample.
var extra = map[string]int64{}

func main() {
	if len(os.Args) < 2 {
		fail("usage: gopark-bench-go WORKLOAD --procs N --size N --warm N")
	}
	name := os.Args[1]
	if name == "hold" {
		hold(os.Args[2])
		return
	}
	load, known := workloads[name]
	if !known {
		fail("no workload named %q", name)
	}
	options := parse(os.Args[2:])
	runtime.GOMAXPROCS(int(options["--procs"]))
	elapsed := int64(0)
	for _, size := range []int64{options["--warm"], options["--size"]} {
		start := time.Now()
		got := load.run(size)
		elapsed = time.Since(start).Nanoseconds()
		if want := load.want(size); got != want {
			fail("%s at size %d: result %d, expected %d", name, size, got, want)
		}
	}
	fmt.Printf("sample elapsed_ns=%d peak_kib=%d", elapsed, statusKiB("VmHWM"))
	for name, value := range extra {
		fmt.Printf(" %s=%d", name, value)
	}
	fmt.Println()
}

// parse reads "--name number" pairs and demands all three of them.
func parse(args []string) map[string]int64 {
	options := map[string]int64{}
	for i := 0; i+1 < len(args); i += 2 {
		value, err := strconv.ParseInt(args[i+1], 10, 64)
		if err != nil || value < 1 {
			fail("%s needs a number above 0, not %q", args[i], args[i+1])
		}
		options[args[i]] = value
	}
	for _, name := range []string{"--procs", "--size", "--warm"} {
		if options[name] == 0 {
			fail("%s is missing", name)
		}
	}
	return options
}

// statusKiB is a line of /proc/self/status: VmHWM for the most memory that was
// resident at once, VmRSS for what is now.
func statusKiB(name string) int64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		fail("%s: %v", name, err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if rest, found := strings.CutPrefix(lines.Text(), name+":"); found {
			number := strings.TrimSpace(strings.TrimSuffix(rest, "kB"))
			kib, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				fail("%s: %v", name, err)
			}
			return kib
		}
	}
	fail("/proc/self/status has no %s", name)
	return 0
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
