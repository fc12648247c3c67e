package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"time"
)

const (
	echoConnections = 64
	echoMessage     = 128
	echoIdle        = 10_000
	// The first pass is only there to be warm.
	echoWarm = echoConnections * 100
)

// must ends the program if something went wrong.
func must[T any](value T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return value
}

// echo sends size messages there and back on all connections together, beside
// idle ones if they are asked for.
func echo(size int64, beside bool) int64 {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveEcho(conn)
		}
	}()
	if beside && size != echoWarm {
		defer holdElsewhere(listener.Addr().String())()
	}
	var conns [echoConnections]net.Conn
	for i := range conns {
		conns[i] = must(net.Dial("tcp", listener.Addr().String()))
		defer conns[i].Close()
	}
	start := time.Now()
	all := make(chan []int64, echoConnections)
	for _, conn := range conns {
		go func() { all <- callEcho(conn, size/echoConnections) }()
	}
	var trips []int64
	for range conns {
		trips = append(trips, <-all...)
	}
	extra["exchange_ns"] = time.Since(start).Nanoseconds()
	slices.Sort(trips)
	extra["p99_ns"] = trips[len(trips)*99/100]
	return int64(len(trips))
}

func serveEcho(conn net.Conn) {
	defer conn.Close()
	var message [echoMessage]byte
	for {
		length, err := conn.Read(message[:])
		if err != nil {
			return
		}
		must(conn.Write(message[:length]))
	}
}

// callEcho returns how long each round trip took.
func callEcho(conn net.Conn, count int64) []int64 {
	var message [echoMessage]byte
	trips := make([]int64, 0, count)
	for range count {
		start := time.Now()
		must(conn.Write(message[:]))
		must(io.ReadFull(conn, message[:]))
		trips = append(trips, time.Since(start).Nanoseconds())
	}
	return trips
}

// holdElsewhere has another process open the idle connections; the result ends it.
func holdElsewhere(address string) func() {
	before := statusKiB("VmRSS")
	holder := exec.Command(must(os.Executable()), "hold", address)
	input, output := must(holder.StdinPipe()), must(holder.StdoutPipe())
	must(0, holder.Start())
	must(io.ReadFull(output, make([]byte, 1)))
	extra["idle_bytes"] = (statusKiB("VmRSS") - before) * 1024
	return func() {
		input.Close()
		must(0, holder.Wait())
	}
}

// hold is the other process: it connects, says so, and waits for the end of its
// input.
func hold(address string) {
	held := make([]net.Conn, echoIdle)
	for i := range held {
		held[i] = must(net.Dial("tcp", address))
	}
	os.Stdout.WriteString("!")
	os.Stdin.Read(make([]byte, 1))
}
