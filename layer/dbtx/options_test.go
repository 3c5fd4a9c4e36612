package dbtx_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/internal/testdb/dbtest"
)

// What a store's own methods ask of the layer.
func TestStore_ServesAStoresOwnMethods(t *testing.T) {
	t.Parallel()
	type key struct{}
	at := time.Date(2000, 1, 2, 3, 4, 5, 6789, time.FixedZone("x", 3600))
	own := testdb.Store(dbtest.New(t, dbtx.WithValue(key{}, 7), dbtx.WithClock(func() time.Time { return at })))
	require.Equal(t, 7, own.Value(key{}))
	require.Nil(t, own.Value("another"))
	require.Equal(t, time.Date(2000, 1, 2, 2, 4, 5, 6000, time.UTC), own.Now(), "in UTC, and in microseconds")
	require.Equal(t, own.Now(), *own.Clock())
	store := testdb.Store(testdb.New(own.DB()))
	require.Nil(t, store.Clock(), "the server's clock counts")
	require.Nil(t, store.Value(key{}))

	refused := own.Refused("move paper", testdb.Constraint("papers_name_key"))
	require.ErrorIs(t, refused, testdb.Constraint("papers_name_key"))
	require.ErrorIs(t, refused, dbtx.ErrUnique)
	require.NotErrorIs(t, refused, testdb.Constraint("papers_url_key"))
	require.EqualError(t, refused, "move paper: "+dbgen.Metadata.Words("papers_name_key"))
	require.Equal(t, "constraint no_such", dbgen.Metadata.Words("no_such"))

	cause := errors.New("it is late")
	require.EqualError(t, dbtx.Wrap("move paper", cause), "move paper: it is late")
	require.ErrorIs(t, dbtx.Wrap("move paper", cause), cause)
	require.EqualError(t, dbtx.Underived("move paper", "url", cause), "move paper: url: can't be made", "whose text may show the value")
	said := &dbtx.InvalidError{Field: "name", Reason: "is empty"}
	require.EqualError(t, dbtx.Underived("move paper", "url", said), "move paper: name: is empty")
	require.EqualError(t, dbtx.Underived("move paper", "url", &dbtx.MismatchError{Reason: "no text"}), "move paper: url: can't be made: no text")
}

func TestDerive_OfSeveralColumns(t *testing.T) {
	t.Parallel()
	two := dbtx.Derive2(func(a string, b int) (string, error) { return a + string(rune('0'+b)), nil })
	three := dbtx.Derive3(func(a, b string, _ *int) (string, error) { return a + b, nil })
	word, none := "a", (*string)(nil)
	for name, c := range map[string]struct {
		of   dbtx.Derivation
		args []any
		want any
		err  string
	}{
		"two":             {two, []any{"a", 1}, "a1", ""},
		"two by pointer":  {two, []any{&word, 2}, "a2", ""},
		"two, one NULL":   {two, []any{none, 2}, nil, ""},
		"two, other NULL": {two, []any{"a", nil}, nil, ""},
		"two, another":    {two, []any{1, 1}, nil, "its function takes a string, and the query has a int"},
		"two, the second": {two, []any{"a", "b"}, nil, "its function takes a int, and the query has a string"},
		"three":           {three, []any{"a", "b", new(1)}, "ab", ""},
		"three, one NULL": {three, []any{"a", none, new(1)}, nil, ""},
		"three, another":  {three, []any{"a", 1, new(1)}, nil, "its function takes a string, and the query has a int"},
	} {
		got, err := c.of(c.args, []int{0, 1, 2}[:len(c.args)])
		require.Equal(t, c.want, got, name)
		if c.err == "" {
			require.NoError(t, err, name)
		} else {
			require.EqualError(t, err, c.err, name)
		}
	}
}
