package main

import (
	"runtime"
	"sync"
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
