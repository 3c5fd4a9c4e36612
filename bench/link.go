package main

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// link is a network to the server: a proxy on which everything arrives later than it was sent, in each direction. It does
// not limit how much is on its way. It counts the round trips, whatever is said on it.
type link struct {
	listener net.Listener
	server   string // its address
	delay    atomic.Int64
	trips    atomic.Int64
}

// openLink returns a link to a server, without a delay yet.
func openLink(ctx context.Context, server string) (*link, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	// A sleep holds a processor of Go's until the runtime takes it away. These two are for both directions of a link.
	runtime.GOMAXPROCS(runtime.NumCPU() + 2)
	l := &link{listener: listener, server: server}
	go l.accept(ctx)

	return l, nil
}

// address is where its clients connect to.
func (l *link) address() string { return l.listener.Addr().String() }

// set sets the delay of what is sent from now on.
func (l *link) set(delay time.Duration) { l.delay.Store(int64(delay)) }

// count is how many round trips there were: how often a client has sent something after it had got something. A client
// that sends several messages without waiting makes one. With a delay this is exact, because no answer can arrive while a
// client is still sending.
func (l *link) count() float64 {
	if l == nil {
		return 0
	}

	return float64(l.trips.Load())
}

// close takes no more clients. Those that are there end when they close, or the server does.
func (l *link) close() { _ = l.listener.Close() }

func (l *link) accept(ctx context.Context) {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.server)
		if err != nil {
			_ = client.Close()

			continue
		}
		go l.join(client, server)
	}
}

// join carries what two connections say until neither has more to say.
func (l *link) join(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	var answered atomic.Bool // since the client has last sent something
	answered.Store(true)
	var both sync.WaitGroup
	both.Go(func() {
		l.carry(client, server, func() {
			if answered.Swap(false) {
				l.trips.Add(1)
			}
		}, func() {})
	})
	both.Go(func() { l.carry(server, client, func() {}, func() { answered.Store(true) }) })
	both.Wait()
}

// carry hands on what comes, in its order, each part when it is due.
func (l *link) carry(from, to net.Conn, sent, arrives func()) {
	type part struct {
		due  time.Time
		text []byte
	}
	underway := make(chan part, 4096)
	go func() {
		defer close(underway)
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			sent()
			underway <- part{time.Now().Add(time.Duration(l.delay.Load())), bytes.Clone(buffer[:n])}
		}
	}()
	var err error
	for p := range underway { // to its end, so that nobody waits to add to it
		if err != nil {
			continue
		}
		sleep(time.Until(p.due))
		arrives()
		if _, err = to.Write(p.text); err != nil {
			_ = from.Close()
		}
	}
	_ = to.(*net.TCPConn).CloseWrite()
}
