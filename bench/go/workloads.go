package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// spawn starts a batch of tasks and waits until all have finished.
func spawn(size int64) int64 {
	ran := make([]uint8, size)
	var all sync.WaitGroup
	all.Add(int(size))
	for i := range size {
		go func() {
			ran[i] = 1
			all.Done()
		}()
	}
	all.Wait()
	count := int64(0)
	for _, one := range ran {
		count += int64(one)
	}
	return count
}

// spawnJoin starts a task, waits for its value, and starts the next.
func spawnJoin(size int64) int64 {
	sum := int64(0)
	for i := range size {
		value := make(chan int64, 1)
		go func() { value <- i }()
		sum += <-value
	}
	return sum
}

// sleep has size tasks sleep for a millisecond, all at once.
func sleep(size int64) int64 {
	var woken atomic.Int64
	var all sync.WaitGroup
	all.Add(int(size))
	for range size {
		go func() {
			time.Sleep(time.Millisecond)
			woken.Add(1)
			all.Done()
		}()
	}
	all.Wait()
	return woken.Load()
}

// yield has two tasks take turns, size yields each.
func yield(size int64) int64 {
	var counts [2]int64
	var all sync.WaitGroup
	for side := range counts {
		all.Add(1)
		go func() {
			done := int64(0)
			for range size {
				runtime.Gosched()
				done++
			}
			counts[side] = done
			all.Done()
		}()
	}
	all.Wait()
	return counts[0] + counts[1]
}

// pingPong sends size values to a task that sends each back.
func pingPong(size int64) int64 {
	there, back := make(chan int64), make(chan int64)
	go func() {
		for value := range there {
			back <- value
		}
		close(back)
	}()
	sum := int64(0)
	for i := range size {
		there <- i
		sum += <-back
	}
	close(there)
	<-back
	return sum
}

// selecting receives the values below size by a select over three unbuffered
// channels, each with a sender of its own.
func selecting(size int64) int64 {
	var from [3]chan int64
	for side := range from {
		values := make(chan int64)
		from[side] = values
		go func() {
			for value := int64(side); value < size; value += 3 {
				values <- value
			}
		}()
	}
	a, b, c := from[0], from[1], from[2]
	sum := int64(0)
	for range size {
		select {
		case value := <-a:
			sum += value
		case value := <-b:
			sum += value
		case value := <-c:
			sum += value
		}
	}
	return sum
}

// mpmcSides is how many senders there are, and how many receivers.
const mpmcSides = 4

// mpmc moves the values below size through one channel from four senders to
// four receivers.
func mpmc(size int64, capacity int) int64 {
	values := make(chan int64, capacity)
	sums := make(chan int64, mpmcSides)
	for range mpmcSides {
		go func() {
			sum := int64(0)
			for value := range values {
				sum += value
			}
			sums <- sum
		}()
	}
	var senders sync.WaitGroup
	for side := range int64(mpmcSides) {
		senders.Add(1)
		go func() {
			for value := side; value < size; value += mpmcSides {
				values <- value
			}
			senders.Done()
		}()
	}
	senders.Wait()
	close(values)
	total := int64(0)
	for range mpmcSides {
		total += <-sums
	}
	return total
}

// mutexTasks is how many tasks take the lock.
const mutexTasks = 4

// mutexContended counts to size in four tasks with one lock.
func mutexContended(size int64) int64 {
	var lock sync.Mutex
	var tasks sync.WaitGroup
	count := int64(0)
	for task := range int64(mutexTasks) {
		share := size / mutexTasks
		if task < size%mutexTasks {
			share++
		}
		tasks.Add(1)
		go func() {
			for range share {
				lock.Lock()
				count++
				lock.Unlock()
			}
			tasks.Done()
		}()
	}
	tasks.Wait()
	return count
}

// fib computes a Fibonacci number with a task for every call.
func fib(n int64) int64 {
	value := make(chan int64, 1)
	go fibTask(n, value)
	return <-value
}

func fibTask(n int64, result chan<- int64) {
	if n < 2 {
		result <- n
		return
	}
	parts := make(chan int64, 2)
	go fibTask(n-1, parts)
	go fibTask(n-2, parts)
	result <- <-parts + <-parts
}

func fibonacci(n int64) int64 {
	a, b := int64(0), int64(1)
	for range n {
		a, b = b, a+b
	}
	return a
}

// skynetWidth is how many children a task of skynet has.
const skynetWidth = 10

// skynet is a tree of tasks with size leaves that sums the leaves' numbers.
func skynet(size int64) int64 {
	result := make(chan int64)
	go skynetTask(result, 0, size)
	return <-result
}

func skynetTask(result chan<- int64, first, size int64) {
	if size == 1 {
		result <- first
		return
	}
	parts := make(chan int64)
	share := size / skynetWidth
	for child := range int64(skynetWidth) {
		go skynetTask(parts, first+child*share, share)
	}
	sum := int64(0)
	for range skynetWidth {
		sum += <-parts
	}
	result <- sum
}

// wakeDelay sleeps beside a goroutine that computes without end, the same
// one in all passes.
func wakeDelay(size int64) int64 {
	const nap = 5 * time.Millisecond
	busy.Do(func() {
		started := make(chan struct{})
		go func() {
			close(started)
			for {
				turns++
			}
		}()
		<-started
	})
	mean, worst := time.Duration(0), time.Duration(0)
	for range size {
		start := time.Now()
		time.Sleep(nap)
		late := time.Since(start) - nap
		mean += late
		worst = max(worst, late)
	}
	extra["mean_ns"] = int64(mean) / size
	extra["worst_ns"] = int64(worst)
	return size
}

// busy starts the loop once, and turns is its own.
var (
	busy  sync.Once
	turns int
)

// parked has size tasks wait on a channel, and reports what is resident then
// beyond what was before.
func parked(size int64) int64 {
	before := statusKiB("VmRSS")
	end := crowd(size)
	extra["resident_bytes"] = (statusKiB("VmRSS") - before) * 1024
	end()
	return size
}

// frame is how many bytes a level of descend takes, as on the Rust side, and
// pad is what makes it that large.
const (
	frame = 288
	pad   = 256
)

// bottom is where the last level of the latest recursion was.
var bottom uintptr

// descend returns the depth, added up from a mark in each level.
//
//go:noinline
func descend(depth int64) int64 {
	var level [pad]byte
	at := depth & 127
	level[at] = 1
	if depth == 1 {
		bottom = uintptr(unsafe.Pointer(&level))
		return int64(level[at])
	}
	below := descend(depth - 1)
	return below + int64(level[at])
}

// recursion starts a task that recurses, waits for it, and starts the next. It
// counts those that came to the depth, and times the first of the process.
func recursion(depth int64) func(int64) int64 {
	task := func() int64 {
		result := make(chan int64, 1)
		go func() { result <- descend(depth) }()
		return <-result
	}
	return func(size int64) int64 {
		if _, done := extra["first_ns"]; !done {
			start := time.Now()
			task()
			extra["first_ns"] = time.Since(start).Nanoseconds()
			checkFrame(depth)
		}
		levels := int64(0)
		for range size {
			levels += task()
		}
		return levels / depth
	}
}

// checkFrame fails unless a level is as large as it says above.
func checkFrame(depth int64) {
	result := make(chan int64)
	go func() {
		descend(depth)
		above := bottom
		descend(depth + 1)
		result <- int64(above - bottom)
	}()
	if got := <-result; got < frame-16 || got > frame+16 {
		fail("a level takes %d bytes, not %d: adjust pad", got, frame)
	}
}
