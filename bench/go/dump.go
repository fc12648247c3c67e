package main

import (
	"bytes"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// crowd has size tasks wait on a channel until end is called.
func crowd(size int64) (end func()) {
	gate := make(chan struct{})
	var started, ended sync.WaitGroup
	started.Add(int(size))
	ended.Add(int(size))
	for range size {
		go func() {
			started.Done()
			<-gate
			ended.Done()
		}()
	}
	started.Wait()
	return func() {
		close(gate)
		ended.Wait()
	}
}

// write makes the page /debug/pprof/goroutine in memory.
func write(debug int) {
	var page bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&page, debug); err != nil {
		fail("goroutine?debug=%d: %v", debug, err)
	}
}

// median is the middle of some times, as on the Rust side.
func median[T int64 | float64](of []T) T {
	slices.Sort(of)
	return of[len(of)/2]
}

// dump makes dumps and profiles of size tasks, and reports the median times.
func dump(size int64) int64 {
	end := crowd(size)
	for debug, name := range map[int]string{2: "debug2_ns", 0: "debug0_ns"} {
		write(debug)
		var times []int64
		for range 5 {
			start := time.Now()
			write(debug)
			times = append(times, time.Since(start).Nanoseconds())
		}
		extra[name] = median(times)
	}
	end()
	return size
}

// dumpBeside has pairs of tasks send a value to and fro while size others are dumped
// again and again, and reports what they lose of their speed.
func dumpBeside(pairs int, size int64, pause time.Duration) int64 {
	end := crowd(size)
	var trips atomic.Int64
	var stop atomic.Bool
	var ended sync.WaitGroup
	for range pairs {
		ended.Go(func() {
			there, back := make(chan int64), make(chan int64)
			go func() {
				for value := range there {
					back <- value
				}
			}()
			for !stop.Load() {
				there <- trips.Add(1)
				<-back
			}
			close(there)
		})
	}
	extra["lost_permille"] = int64(1000 * lost(&trips, 400*time.Millisecond, func() time.Duration {
		write(2)
		return pause
	}))
	stop.Store(true)
	ended.Wait()
	end()
	return size
}

// lost is what calls of often take away of a speed, as a part; each says how long it
// is to the next.
func lost(done *atomic.Int64, turn time.Duration, often func() time.Duration) float64 {
	speed := func(during func(time.Time)) float64 {
		begun, before := time.Now(), done.Load()
		during(begun)
		return float64(done.Load()-before) / time.Since(begun).Seconds()
	}
	alone := func() float64 { return speed(func(time.Time) { time.Sleep(turn) }) }
	disturbed := func() float64 {
		return speed(func(begun time.Time) {
			for time.Since(begun) < turn {
				time.Sleep(often())
			}
		})
	}
	alone()
	disturbed()
	var parts []float64
	for range 5 {
		before, beside, after := alone(), disturbed(), alone()
		parts = append(parts, 1-2*beside/(before+after))
	}
	return median(parts)
}
