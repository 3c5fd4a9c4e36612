package dbtx_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/private"
	"musicstore/layer/schema"
)

// insertSale records a sale as one would without testdb.
const insertSale = `INSERT INTO sales (reader_id, paper_id, payment_ref, description, amount_paid_cents, created_at)
	VALUES ($1, $2, $3, '', 0, now())`

// work does ops numbered operations, eight at once, and returns the errors that it was given.
func work(ops int, op func(i int) error) (errs []error) {
	var next atomic.Int64
	var mu sync.Mutex
	dbtxtest.AtOnce(8, func(int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= ops {
				return nil
			}
			if err := op(i); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		}
	})

	return errs
}

func TestSoak_KilledBackends(t *testing.T) { //nolint:paralleltest // it is measured
	dbtest.Soak(t)
	killedBackends(t, 20_000, 400)
}

// killedBackends does operations while at least so many of their backends are killed. At every COMMIT they wait a while
// for a standby: a backend that is killed there has committed, and nobody is told.
func killedBackends(t *testing.T, ops, kills int) {
	t.Helper()
	primary, standby := newPair(t, true)
	standby.exec(t, "ALTER SYSTEM SET recovery_min_apply_delay = '4ms'")
	standby.exec(t, "SELECT pg_reload_conf()")
	victim := primary.url() + "&application_name=victim&pool_max_conns=8&synchronous_commit=remote_apply"
	store := open(t, victim)
	a, buyer := newPaper(t, store, "A"), newReader(t, store, "buyer@x")

	admin, err := pgxpool.New(t.Context(), primary.url())
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	var mu sync.Mutex
	killed := map[string]bool{} // by process and start, so that each counts once
	kill := func() error {
		rows, err := admin.Query(t.Context(), `
			SELECT pid || ' ' || backend_start FROM (
				SELECT pid, backend_start FROM pg_stat_activity WHERE application_name = 'victim'
				ORDER BY wait_event IS NOT DISTINCT FROM 'SyncRep' DESC, random() LIMIT 2) AS chosen
			WHERE pg_terminate_backend(pid)`)
		if err != nil {
			return err
		}
		backends, err := pgx.CollectRows(rows, pgx.RowTo[string])
		mu.Lock()
		defer mu.Unlock()
		for _, backend := range backends {
			killed[backend] = true
		}

		return err
	}
	under := func(op func(i int) error) func(int) error { // the kills, among them
		return func(i int) error {
			if i%(ops/kills) == 0 {
				if err := kill(); err != nil {
					return err
				}
			}

			return op(i)
		}
	}

	start := time.Now()
	errs := work(ops, under(func(i int) (err error) {
		switch ctx := t.Context(); i % 4 {
		case 0:
			_, err = store.CreateReader(ctx, testdb.CreateReaderParams{Email: private.Email(fmt.Sprint(i, "@x")), PasswordHash: hash})
		case 1:
			_, err = store.RecordSale(ctx,
				testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: strconv.Itoa(i)})
		case 2:
			_, err = store.GetReaderByEmail(ctx, buyer.EmailKey)
		case 3:
			_, err = store.ListPapers(ctx, 50)
		}

		return err
	}))
	require.Empty(t, errs)
	require.GreaterOrEqual(t, len(killed), kills)
	refs := primary.refs(t)
	require.Len(t, refs, ops/4, "none is lost, none too many")
	for ref, n := range refs {
		require.Equal(t, 1, n, ref)
	}
	var readers int
	require.NoError(t, admin.QueryRow(t.Context(), "SELECT count(*) FROM readers").Scan(&readers))
	require.Equal(t, 1+ops/4, readers)
	t.Logf("%d operations under %d killed backends in %v: 0 errors, 0 lost, 0 doubled",
		ops, len(killed), time.Since(start).Round(time.Millisecond))

	// The controls. pgx alone hands the errors on, and a write that takes a new key at each try is done twice.
	pool, err := pgxpool.New(t.Context(), victim)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	insert := func(ref string) error {
		_, err := pool.Exec(t.Context(), insertSale, buyer.ID, a.ID, ref)

		return err
	}
	require.NoError(t, insert("calm"))
	errs = work(800, under(func(int) error { return insert(testdb.NewID()) }))
	require.NotEmpty(t, errs, "without repo")

	before := len(primary.refs(t))
	require.Empty(t, work(800, under(func(int) error {
		err := insert(testdb.NewID())
		for err != nil && t.Context().Err() == nil { // sent until it was heard to be done
			err = insert(testdb.NewID())
		}

		return err
	})))
	doubled := len(primary.refs(t)) - before - 800
	require.Positive(t, doubled, "with a new key at each try")
	t.Logf("controls: %d errors of pgx alone in 800; %d of 800 inserts doubled by new keys", len(errs), doubled)
}

func TestSoak_RestartOfTheServer(t *testing.T) { //nolint:paralleltest // it is measured
	dbtest.Soak(t)
	restarts(t, 20_000, 10)
}

// restarts does operations while the server is restarted, in order and by a crash in turn.
func restarts(t *testing.T, ops, times int) {
	t.Helper()
	server := newServer(t, newFolder(t)+"/a")
	store := open(t, server.url())
	a, buyer := newPaper(t, store, "A"), newReader(t, store, "buyer@x")
	plain, err := pgxpool.New(t.Context(), server.url())
	require.NoError(t, err)
	t.Cleanup(plain.Close)

	var down time.Duration // the longest
	halt := make(chan syscall.Signal, times)
	var mu sync.Mutex
	papers := map[string]error{} // what came of the writes without a key
	var refused atomic.Int64     // of pgx alone
	var errs []error
	done := make(chan struct{})
	load := func(i int) (err error) {
		if n := ops / (times + 1); i%n == 0 && 0 < i/n && i/n <= times {
			halt <- []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}[i/n%2]
		}
		switch ctx := t.Context(); i % 4 {
		case 0:
			_, err = store.RecordSale(ctx,
				testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: strconv.Itoa(i)})
		case 1:
			_, err = store.GetPaper(ctx, a.ID)
		case 2:
			name := fmt.Sprint("B", i)
			_, failed := store.CreatePaper(ctx, paper(name))
			mu.Lock()
			papers[name] = failed
			mu.Unlock()
		case 3:
			if _, err := plain.Exec(ctx, "SELECT 1"); err != nil {
				refused.Add(1)
			}
		}

		return err
	}
	go func() {
		defer close(done)
		errs = work(ops, load)
	}()
	for range times {
		signal := <-halt
		start := time.Now()
		server.stop(t, signal)
		server.start(t)
		down = max(down, time.Since(start))
	}
	<-done
	if down < 2*time.Second { // a server that starts more slowly may outlast the retries
		require.Empty(t, errs)
		require.Len(t, server.refs(t), ops/4)
	}
	require.Positive(t, refused.Load(), "the control: pgx alone")
	unknown := 0
	for name, failed := range papers {
		kept := true
		_, err := store.GetPaperByURL(t.Context(), strings.ToLower(name))
		if dbtxtest.IsAny(err, testdb.ErrNotFound) {
			kept = false
		} else {
			require.NoError(t, err)
		}
		switch {
		case failed == nil:
			require.True(t, kept, "acknowledged")
		case dbtxtest.IsAny(failed, testdb.ErrOutcomeUnknown):
			unknown++
		default:
			require.ErrorIs(t, failed, testdb.ErrUnavailable)
			require.False(t, kept, "nothing was written")
		}
	}
	t.Logf("%d restarts in %d operations, down for up to %v: %d errors of reads and writes with a key, %d of %d writes "+
		"without one unknown; control: %d errors of pgx alone",
		times, ops, down.Round(time.Millisecond), len(errs), unknown, len(papers), refused.Load())

	server.stop(t, syscall.SIGINT)
	for i, err := range dbtxtest.AtOnce(3, func(i int) (err error) {
		switch ctx := t.Context(); i {
		case 0:
			_, err = store.GetPaper(ctx, a.ID)
		case 1:
			_, err = store.RecordSale(ctx, testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: "away"})
		case 2:
			err = store.InTx(ctx, func(tx *testdb.Repo) error {
				_, err := tx.GetPaper(ctx, a.ID)

				return err
			})
		}

		return err
	}) {
		require.ErrorIs(t, err, testdb.ErrUnavailable, i)
	}
	server.start(t)
	_, err = store.GetPaper(t.Context(), a.ID)
	require.NoError(t, err, "however long it was away")
	require.NotContains(t, server.refs(t), "away")
}

func TestSoak_Failover(t *testing.T) { //nolint:paralleltest // it is measured
	dbtest.Soak(t)
	failover(t, 25_000)
}

// failover writes while the primary is killed and its synchronous standby takes its place.
func failover(t *testing.T, writes int) {
	t.Helper()
	primary, standby := newPair(t, true)
	store := open(t, primary.url(standby))
	a, buyer := newPaper(t, store, "A"), newReader(t, store, "buyer@x")

	var mu sync.Mutex
	acknowledged := make([]string, 0, writes)
	var last time.Time
	var still time.Duration // the longest time without an acknowledgement
	var again int
	halfway := make(chan struct{})
	var errs []error
	done := make(chan struct{})
	load := func(int) error {
		p := testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: testdb.NewID()}
		_, err := store.RecordSale(t.Context(), p)
		for ; dbtxtest.IsAny(err, testdb.ErrUnavailable, testdb.ErrOutcomeUnknown) && !t.Failed(); _, err = store.RecordSale(t.Context(), p) {
			mu.Lock()
			again++ // the promotion took longer than the retries last
			mu.Unlock()
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if len(acknowledged) > 0 {
			still = max(still, now.Sub(last))
		}
		last = now
		acknowledged = append(acknowledged, p.PaymentRef)
		if len(acknowledged) == writes/2 {
			close(halfway)
		}

		return nil
	}
	go func() {
		defer close(done)
		errs = work(writes, load)
	}()
	select {
	case <-halfway:
		primary.stop(t, syscall.SIGKILL)
		standby.promote(t)
		<-done
	case <-done: // by errors
	}
	require.Empty(t, errs)
	require.Len(t, acknowledged, writes)
	refs := standby.refs(t)
	for _, ref := range acknowledged {
		require.Equal(t, 1, refs[ref], "acknowledged, so kept")
	}
	require.Len(t, refs, writes)
	t.Logf("%d acknowledged writes across a failover: 0 lost, 0 doubled; writes stood still for %v; %d were repeated by "+
		"their caller", writes, still.Round(time.Millisecond), again)
}

// The control of TestSoak_Failover: what an asynchronous primary acknowledged may be lost.
func TestSoak_AnAsynchronousPrimaryLosesWrites(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	primary, standby := newPair(t, false)
	store := open(t, primary.url(standby))
	a, buyer := newPaper(t, store, "A"), newReader(t, store, "buyer@x")
	record := func(n int) {
		for i := range n {
			_, err := store.RecordSale(t.Context(),
				testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: fmt.Sprint(n, ".", i)})
			require.NoError(t, err)
		}
	}
	record(30)
	standby.await(t, "SELECT count(*) = 30 FROM sales")
	standby.exec(t, "ALTER SYSTEM SET primary_conninfo = ''") // the two lose sight of each other
	standby.exec(t, "SELECT pg_reload_conf()")
	primary.await(t, "SELECT count(*) = 0 FROM pg_stat_replication")
	record(20)
	primary.stop(t, syscall.SIGKILL)
	standby.promote(t)
	require.Len(t, standby.refs(t), 30, "20 were acknowledged, and are lost")
	record(10)
	require.Len(t, standby.refs(t), 40)
}

func TestSoak_OnAStandbyReadsAndRefusesWrites(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	primary, standby := newPair(t, true)
	store, copied := open(t, primary.url()), open(t, standby.url())
	a, buyer := newPaper(t, store, "A"), newReader(t, store, "buyer@x")
	standby.await(t, "SELECT count(*) = 1 FROM readers")

	read, err := copied.GetPaper(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, a, read)
	reader, err := copied.GetReaderByEmail(t.Context(), "buyer@x")
	require.NoError(t, err)
	require.Equal(t, buyer, reader)
	require.NoError(t, copied.InTx(t.Context(), func(tx *testdb.Repo) error {
		_, err := tx.ListPapers(t.Context(), 50)

		return err
	}))
	created, err := schema.Bootstrap(t.Context(), copied.DB(), &dbgen.Metadata)
	require.NoError(t, err)
	require.Empty(t, created)

	writes := func(ctx context.Context, store *testdb.Repo) map[string]error {
		_, bought := store.RecordSale(ctx, testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: "x"})
		_, made := store.CreatePaper(ctx, paper("B"))
		_, signed := store.CreateReader(ctx, testdb.CreateReaderParams{Email: "new@x", PasswordHash: hash})
		_, ended := store.DeletePaper(ctx, a.ID)
		together := store.InTx(ctx, func(tx *testdb.Repo) error {
			_, err := tx.CreatePaper(ctx, paper("C"))

			return err
		})

		return map[string]error{"buy": bought, "make": made, "sign up": signed, "delete": ended, "in a transaction": together}
	}
	for name, err := range writes(t.Context(), copied) {
		require.ErrorIs(t, err, testdb.ErrReadOnly, name)
		require.ErrorContains(t, err, ": the server or the transaction takes no writes", name)
		require.NotErrorIs(t, err, testdb.ErrUnavailable, name)
		require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown, name)
	}
	for name, err := range writes(t.Context(), store) { // the control: the primary refuses none of it for that
		require.NotErrorIs(t, err, testdb.ErrReadOnly, name)
	}

	standby.promote(t)
	newPaper(t, copied, "D")
}

func TestSoak_LeavesAPrimaryThatWasDemoted(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	primary, standby := newPair(t, true)
	store := open(t, primary.url(standby)+"&pool_max_conns=4")
	plain, err := pgxpool.New(t.Context(), primary.url(standby)+"&pool_max_conns=4")
	require.NoError(t, err)
	t.Cleanup(plain.Close)
	a, buyer := newPaper(t, store, "A"), newReader(t, store, "buyer@x")
	record := func(int) error {
		_, err := store.RecordSale(t.Context(),
			testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: testdb.NewID()})

		return err
	}
	alone := func(int) error {
		_, err := plain.Exec(t.Context(), insertSale, buyer.ID, a.ID, testdb.NewID())

		return err
	}
	require.Empty(t, work(100, record)) // on all connections
	require.Empty(t, work(100, alone))

	// A switchover as one is done by hand: the old primary is up, its connections too, and it takes no more writes.
	primary.exec(t, "ALTER SYSTEM SET default_transaction_read_only = on")
	primary.exec(t, "SELECT pg_reload_conf()")
	primary.await(t, "SELECT current_setting('transaction_read_only') = 'on'")
	standby.promote(t)
	refused := work(100, record)
	for _, err := range refused {
		require.ErrorIs(t, err, testdb.ErrReadOnly)
	}
	t.Logf("%d of 100 writes refused", len(refused))
	require.LessOrEqual(t, len(refused), 4, "one a connection")
	require.Empty(t, work(100, record))
	require.NotEmpty(t, work(100, alone), "the control: pgx alone stays with its connections")
}
