// Package wireproxy is a link to PostgreSQL that tests can cut, for tests alone: a proxy that reads every message of
// the protocol, either way, and has a rule say what becomes of it.
//
// https://www.postgresql.org/docs/current/protocol-flow.html
package wireproxy

import (
	"context"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// Action is what becomes of a message.
type Action int

// The actions. A link that is cut is closed to the client at once; the server finishes what it has been sent, then finds
// that its client is gone.
const (
	Pass      Action = iota // it goes on
	Drop                    // it is swallowed, and the link lives
	CutBefore               // the link is cut, and the message with it
	CutAfter                // it goes on, and then the link is cut
	Stall                   // it is swallowed, and so is all that follows, either way: the link is silent but open
	Die                     // as Stall, and a client that says that it leaves, or cancels, gets no answer either
)

// Message is a message on its way. It is valid until its rule returns.
type Message struct {
	Is   pgproto3.Message
	Link int             // which connection it is on, from 1
	Gone <-chan struct{} // closed when that connection has ended

	instead *[]pgproto3.BackendMessage
}

// Become puts other messages in the place of one that the server sent, if it goes on.
func (m Message) Become(others ...pgproto3.BackendMessage) { *m.instead = others }

// FromClient reports whether the client sent the message; the server sent the others.
func (m Message) FromClient() bool {
	switch m.Is.(type) {
	case *pgproto3.CopyData, *pgproto3.CopyDone: // are both, and go to the server in all that tests do
		return true
	}
	_, ok := m.Is.(pgproto3.FrontendMessage)

	return ok
}

// Wait delays the message until a channel is closed, or its connection has ended.
func (m Message) Wait(until <-chan struct{}) {
	select {
	case <-until:
	case <-m.Gone:
	}
}

// Rule says what becomes of a message, before it goes on. It may take its time, which delays the message and those
// behind it, and is called for several messages at once.
type Rule func(Message) Action

// Nth does something to the n-th message of a type, counted from 1 over all connections, and lets the others pass.
// Nth[pgproto3.Message] counts them all.
func Nth[M pgproto3.Message](n int, do Action) Rule {
	var seen atomic.Int64

	return func(m Message) Action {
		if _, ok := m.Is.(M); ok && seen.Add(1) == int64(n) {
			return do
		}

		return Pass
	}
}

// LoseReply cuts the link after the server acted: the reply to a statement is swallowed from its end on, and when the
// server says that it is ready again, which is after the commit, the link is cut. The statements are those that lost
// says so of, by the tag of their reply ("INSERT 0 1", "COMMIT").
func LoseReply(lost func(tag string) bool) Rule {
	var doomed sync.Map // the connections whose reply is being swallowed

	return func(m Message) Action {
		switch reply := m.Is.(type) {
		case *pgproto3.CommandComplete:
			if lost(string(reply.CommandTag)) {
				doomed.Store(m.Link, true)

				return Drop
			}
		case *pgproto3.ReadyForQuery:
			if _, ok := doomed.LoadAndDelete(m.Link); ok {
				return CutBefore
			}
		}

		return Pass
	}
}

// FailReply has the client hear of an error after the server acted: the reply to a statement is swallowed, and when the
// server says that it is ready again, which is after the commit, the error goes out. One that ends the session, which is
// FATAL or PANIC, ends the link. The statements are those that failed says so of, by the tag of their reply.
func FailReply(failed func(tag string) bool, e pgproto3.ErrorResponse) Rule {
	var doomed sync.Map // the connections whose reply is being swallowed

	return func(m Message) Action {
		switch reply := m.Is.(type) {
		case *pgproto3.CommandComplete:
			if failed(string(reply.CommandTag)) {
				doomed.Store(m.Link, true)

				return Drop
			}
		case *pgproto3.ReadyForQuery:
			if _, ok := doomed.LoadAndDelete(m.Link); !ok {
				break
			}
			if e.SeverityUnlocalized == "ERROR" {
				m.Become(&e, reply)

				break
			}
			m.Become(&e)

			return CutAfter
		}

		return Pass
	}
}

// Proxy is a proxy to one server. Its methods may be called at any time, by several goroutines at once.
type Proxy struct {
	target   *url.URL
	network  string // of the server
	address  string
	listener net.Listener
	running  sync.WaitGroup
	rule     atomic.Pointer[Rule]
	cuts     atomic.Int64

	mu     sync.Mutex
	closed bool
	count  int
	links  map[*link]struct{} // those that live
	ended  *sync.Cond         // tells that a link has ended
}

// New returns a proxy to the server that a URL names, without TLS, which lets everything pass. It ends with the test,
// and with it what connections it has.
func New(tb testing.TB, serverURL string) *Proxy {
	tb.Helper()
	config, err := pgconn.ParseConfig(serverURL)
	require.NoError(tb, err)
	target, err := url.Parse(serverURL)
	require.NoError(tb, err)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	p := &Proxy{target: target, listener: listener, links: map[*link]struct{}{}}
	p.network, p.address = pgconn.NetworkAddress(config.Host, config.Port)
	p.ended = sync.NewCond(&p.mu)
	p.Set(nil)
	p.running.Go(p.accept)
	tb.Cleanup(p.close)

	return p
}

// URL returns the server's URL as it is through the proxy, with more settings ("pool_max_conns=1").
func (p *Proxy) URL(settings string) string {
	u := *p.target
	u.Host = p.listener.Addr().String()
	query := u.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	u.RawQuery = query.Encode() + "&" + settings

	return u.String()
}

// Set puts a rule in the place of the one before; nil lets everything pass.
func (p *Proxy) Set(rule Rule) {
	if rule == nil {
		rule = func(Message) Action { return Pass }
	}
	p.rule.Store(&rule)
}

// Cuts is how many connections have been cut by a rule.
func (p *Proxy) Cuts() int { return int(p.cuts.Load()) }

// Settle waits until no more connections live than those that are to stay. The others have ended on the server's side too:
// what the server did for them is done by then. Their clients must have left, or leave.
func (p *Proxy) Settle(stay int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.links) > stay {
		p.ended.Wait()
	}
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.leave()
		_ = l.server.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), p.network, p.address)
		if err != nil {
			_ = client.Close()

			continue
		}
		p.serve(client, server)
	}
}

func (p *Proxy) serve(client, server net.Conn) {
	l := &link{
		proxy: p, client: client, server: server,
		toClient: pgproto3.NewBackend(client, client), toServer: pgproto3.NewFrontend(server, server),
		gone: make(chan struct{}),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = client.Close()
		_ = server.Close()

		return
	}
	p.count++
	l.number = p.count
	p.links[l] = struct{}{}
	p.running.Go(l.run)
}

// link is one connection through the proxy.
type link struct {
	proxy    *Proxy
	number   int
	client   net.Conn
	server   net.Conn
	toClient *pgproto3.Backend
	toServer *pgproto3.Frontend
	stalled  atomic.Bool
	dead     atomic.Bool
	once     sync.Once
	gone     chan struct{} // closed when the client is to be served no more
}

func (l *link) run() {
	if l.start() {
		var upstream sync.WaitGroup
		upstream.Go(func() {
			for l.fromClient() {
			}
		})
		for l.fromServer() {
		}
		upstream.Wait()
	}
	l.leave()
	for { // the server finishes what it has, and finds that it is alone
		if _, err := l.toServer.Receive(); err != nil {
			break
		}
	}
	_ = l.server.Close()
	l.proxy.mu.Lock()
	delete(l.proxy.links, l)
	l.proxy.mu.Unlock()
	l.proxy.ended.Broadcast()
}

// start passes on what comes before the first statement, where both sides speak in turn. It reports whether there is
// more to come.
func (l *link) start() bool {
	startup, err := l.toClient.ReceiveStartupMessage()
	if err != nil || !l.up(startup) {
		return false
	}
	if _, ok := startup.(*pgproto3.CancelRequest); ok { // that is all there is on its connection
		if l.dead.Load() {
			<-l.gone
		}

		return false
	}
	for !l.stalled.Load() {
		m, err := l.toServer.Receive()
		if err != nil || !l.down(m) {
			return false
		}
		kind := uint32(pgproto3.AuthTypeOk)
		switch m.(type) {
		case *pgproto3.ReadyForQuery:
			return true
		case *pgproto3.AuthenticationCleartextPassword:
			kind = pgproto3.AuthTypeCleartextPassword
		case *pgproto3.AuthenticationMD5Password:
			kind = pgproto3.AuthTypeMD5Password
		case *pgproto3.AuthenticationSASL:
			kind = pgproto3.AuthTypeSASL
		case *pgproto3.AuthenticationSASLContinue:
			kind = pgproto3.AuthTypeSASLContinue
		}
		if kind != pgproto3.AuthTypeOk && (l.toClient.SetAuthType(kind) != nil || !l.fromClient()) {
			return false
		}
	}

	return true
}

func (l *link) fromClient() bool {
	m, err := l.toClient.Receive()
	if err != nil || !l.up(m) {
		l.leave()

		return false
	}

	return true
}

func (l *link) fromServer() bool {
	m, err := l.toServer.Receive()
	if err != nil || !l.down(m) {
		l.leave()

		return false
	}

	return true
}

// up passes a message to the server, unless the rule says otherwise. It reports whether the link lives.
func (l *link) up(m pgproto3.FrontendMessage) bool {
	return l.pass(m, func([]pgproto3.BackendMessage) error {
		l.toServer.Send(m)

		return l.toServer.Flush()
	})
}

// down passes a message to the client.
func (l *link) down(m pgproto3.BackendMessage) bool {
	return l.pass(m, func(instead []pgproto3.BackendMessage) error {
		if instead == nil {
			instead = []pgproto3.BackendMessage{m}
		}
		for _, m := range instead {
			l.toClient.Send(m)
		}

		return l.toClient.Flush()
	})
}

func (l *link) pass(m pgproto3.Message, send func(instead []pgproto3.BackendMessage) error) bool {
	do := Stall
	var instead []pgproto3.BackendMessage
	if !l.stalled.Load() {
		do = (*l.proxy.rule.Load())(Message{Is: m, Link: l.number, Gone: l.gone, instead: &instead})
	}
	switch do {
	case Drop:
		return true
	case Die:
		l.dead.Store(true)
		l.stalled.Store(true)

		return true
	case Stall:
		l.stalled.Store(true)
		_, leaves := m.(*pgproto3.Terminate) // and would wait for the answer

		return !leaves || l.dead.Load()
	case CutBefore:
		l.proxy.cuts.Add(1)

		return false
	case CutAfter:
		l.proxy.cuts.Add(1)
		_ = send(instead)

		return false
	default:
		return send(instead) == nil
	}
}

// leave closes the client's side, and tells the server that no more will come. It leaves what the server still says.
func (l *link) leave() {
	l.once.Do(func() {
		close(l.gone)
		_ = l.client.Close()
		if half, ok := l.server.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	})
}
