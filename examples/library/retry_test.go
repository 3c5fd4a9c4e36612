package library_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"musicstore/layer/wireproxy"

	"github.com/stretchr/testify/require"

	"example.com/library"
)

// The reply to an INSERT is lost: the server has kept the row, and the link is cut before it can say so.
func TestRetry(t *testing.T) {
	t.Parallel()
	direct := newStore(t)
	ctx := t.Context()
	_, item, member := stock(t, direct)
	proxy := wireproxy.New(t, databaseURL(direct))
	store := open(t, proxy.URL("pool_max_conns=2"))
	loseOneReply := func() {
		var lost atomic.Bool
		proxy.Set(wireproxy.LoseReply(func(tag string) bool { return strings.HasPrefix(tag, "INSERT") && lost.CompareAndSwap(false, true) }))
	}
	count := func(table string) (n int) {
		require.NoError(t, direct.DB().QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&n))

		return n
	}

	// LendCopy has the mark +keyed: the store sends it again, and it is one loan.
	loseOneReply()
	loan, err := store.LendCopy(ctx, library.LendCopyParams{CopyID: item.ID, MemberID: member.ID})
	require.NoError(t, err)
	require.Equal(t, item.ID, loan.CopyID)
	require.Equal(t, 1, proxy.Cuts())
	require.Equal(t, 1, count("loans"))

	// The control: CreateBook has no key. The store does not send it again, and who does so blindly has the book twice.
	before := count("books")
	loseOneReply()
	_, err = store.CreateBook(ctx, trial)
	require.ErrorIs(t, err, library.ErrOutcomeUnknown)
	_, err = store.CreateBook(ctx, trial)
	require.NoError(t, err)
	require.Equal(t, before+2, count("books"))
}
