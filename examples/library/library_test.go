package library_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/private"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"example.com/library"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	store := newStore(t, library.WithClock(func() time.Time { return noon }))
	ctx := t.Context()
	_, item, member := stock(t, store)
	require.Len(t, member.ID, 32)
	require.Equal(t, noon, member.CreatedAt)

	loan, err := store.LendCopy(ctx, library.LendCopyParams{CopyID: item.ID, MemberID: member.ID})
	require.NoError(t, err)
	require.Equal(t, noon, loan.LentAt)
	require.Equal(t, noon.AddDate(0, 0, 28), loan.DueAt, "derived from lent_at")

	// What the caller sets is kept.
	_, err = store.ReturnCopy(ctx, library.ReturnCopyParams{CopyID: item.ID, ReturnedAt: noon})
	require.NoError(t, err)
	id, day := library.NewID(), noon.AddDate(0, 0, 1)
	loan, err = store.LendCopy(ctx, library.LendCopyParams{ID: id, CopyID: item.ID, MemberID: member.ID, LentAt: noon, DueAt: day})
	require.NoError(t, err)
	require.Equal(t, library.Loan{ID: id, CopyID: item.ID, MemberID: member.ID, LentAt: noon, DueAt: day}, loan)
}

func TestDefaults_OfAnUpdateAndOfCopy(t *testing.T) {
	t.Parallel()
	now := noon
	store := newStore(t, library.WithClock(func() time.Time { return now }))
	ctx := t.Context()
	book, err := store.CreateBook(ctx, trial)
	require.NoError(t, err)
	now = noon.Add(time.Hour)
	book, err = store.UpdateBookDetails(ctx, library.UpdateBookDetailsParams{ID: book.ID, Details: json.RawMessage(`{"pages": 305}`)})
	require.NoError(t, err)
	require.Equal(t, noon, book.CreatedAt)
	require.Equal(t, now, book.UpdatedAt)

	n, err := store.LoadBooks(ctx, []library.LoadBooksParams{
		{Title: "A", Authors: []string{"x"}, Details: json.RawMessage("{}")},
		{Title: "B", Authors: []string{"y"}, Details: json.RawMessage("{}"), CreatedAt: noon},
	})
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	books, err := store.ListBooks(ctx, library.Page{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []time.Time{now, noon}, []time.Time{books[0].CreatedAt, books[1].CreatedAt})
}

func TestDerived(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	_, _, member := stock(t, store)
	require.Equal(t, private.Email("Ada@Example.com"), member.Email, "it is kept as it was typed")
	found, err := store.GetMemberByEmail(ctx, "ada@example.com")
	require.NoError(t, err)
	require.Equal(t, member.ID, found.ID)

	again := library.CreateMemberParams{Name: "A.", Email: "ADA@example.com ", CardNumber: private.NewSecret("C-2")}
	_, err = store.CreateMember(ctx, again)
	require.ErrorIs(t, err, library.ErrEmailTaken)
	again.Email = "nobody"
	_, err = store.CreateMember(ctx, again)
	require.ErrorIs(t, err, library.ErrInvalid)
	require.EqualError(t, err, "create member: email: is no address")
	again.EmailKey = "other@example.com"
	_, err = store.CreateMember(ctx, again)
	require.ErrorIs(t, err, library.ErrInvalid, "the caller does not set it")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	book, item, member := stock(t, store)
	loan, err := store.LendCopy(ctx, library.LendCopyParams{CopyID: item.ID, MemberID: member.ID})
	require.NoError(t, err)
	isbn := "9783161484100"
	_, err = store.CreateBook(ctx, library.CreateBookParams{Title: "x", Authors: []string{"y"}, ISBN: &isbn, Details: trial.Details})
	require.NoError(t, err)
	amount := pgtype.Numeric{}
	require.NoError(t, amount.Scan("-1"))

	for words, c := range map[string]struct {
		is  []error
		run func() error
	}{
		"create member: e-mail already taken": {[]error{library.ErrEmailTaken, library.ErrUnique}, func() error {
			_, err := store.CreateMember(ctx, library.CreateMemberParams{Name: "x", Email: ada.Email})

			return err
		}},
		"create member: card belongs to somebody": {[]error{library.ErrCardTaken}, func() error {
			_, err := store.CreateMember(ctx, library.CreateMemberParams{Name: "x", Email: "x@y", CardNumber: ada.CardNumber})

			return err
		}},
		"create member: member id already taken": {[]error{library.ErrMemberIDTaken}, func() error {
			_, err := store.CreateMember(ctx, library.CreateMemberParams{ID: member.ID, Name: "x", Email: "x@y"})

			return err
		}},
		"create book: a book with this ISBN is there already": {[]error{library.ErrISBNTaken, library.ErrUnique}, func() error {
			_, err := store.CreateBook(ctx, library.CreateBookParams{Title: "x", Authors: []string{"y"}, ISBN: &isbn, Details: trial.Details})

			return err
		}},
		"create book: book has no author": {[]error{library.ErrBookWithoutAuthor, library.ErrInvalid}, func() error {
			_, err := store.CreateBook(ctx, library.CreateBookParams{Title: "x", Authors: []string{}, Details: trial.Details})

			return err
		}},
		"lend copy: copy is lent at that time": {[]error{library.ErrCopyLent, library.ErrExclusion}, func() error {
			_, err := store.LendCopy(ctx, library.LendCopyParams{CopyID: item.ID, MemberID: member.ID})

			return err
		}},
		"lend copy: no such copy": {[]error{library.ErrCopyUnknown, library.ErrForeignKey}, func() error {
			_, err := store.LendCopy(ctx, library.LendCopyParams{CopyID: -1, MemberID: member.ID})

			return err
		}},
		"delete copy: copy has loans": {[]error{library.ErrCopyHasLoans, library.ErrReferenced}, func() error {
			_, err := store.DeleteCopy(ctx, item.ID)

			return err
		}},
		"fine loan: amount is not above zero": {[]error{library.ErrAmountNotPositive, library.ErrCheck}, func() error {
			_, err := store.FineLoan(ctx, library.FineLoanParams{LoanID: loan.ID, Amount: amount})

			return err
		}},
		"get book: not found": {[]error{library.ErrNotFound}, func() error {
			_, err := store.GetBook(ctx, book.ID+100)

			return err
		}},
	} {
		err := c.run()
		require.EqualError(t, err, words)
		for _, is := range c.is {
			require.ErrorIs(t, err, is, words)
		}
	}

	// A partition's constraint is that of the table.
	event := library.RecordEventsParams{ID: library.NewID(), HappenedAt: noon, Kind: "visit", Details: json.RawMessage("{}")}
	_, err = store.RecordEvents(ctx, []library.RecordEventsParams{event})
	require.NoError(t, err)
	_, err = store.RecordEvents(ctx, []library.RecordEventsParams{event})
	require.ErrorIs(t, err, library.ErrEventTaken)
	event.Kind = ""
	_, err = store.RecordEvents(ctx, []library.RecordEventsParams{event})
	require.ErrorIs(t, err, library.ErrEventKindInvalid)
}

func TestSecrecy(t *testing.T) {
	t.Parallel()
	var echo bytes.Buffer
	store := newStore(t, library.WithEcho(&echo))
	_, _, member := stock(t, store)
	_, err := store.CreateMember(t.Context(), ada) // which is refused
	require.Error(t, err)

	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("new", "email", member.Email, "card", member.CardNumber)
	text, err2 := json.Marshal(member.CardNumber)
	require.NoError(t, err2)
	for _, shown := range []string{echo.String(), err.Error(), fmt.Sprintf("%+v", member.CardNumber), log.String(), string(text)} {
		require.NotContains(t, shown, "C-1815")
		require.NotContains(t, strings.ToLower(shown), "ada@example.com")
	}
	require.Contains(t, echo.String(), "email=[personal]")
	require.Contains(t, echo.String(), "card_number=[redacted]")
	require.Equal(t, "C-1815", member.CardNumber.Reveal(), "who asks for it gets it")
}

func TestEcho(t *testing.T) {
	t.Parallel()
	var echo bytes.Buffer
	store := newStore(t, library.WithEcho(&echo))
	_, err := store.GetBook(t.Context(), 7)
	require.ErrorIs(t, err, library.ErrNotFound)
	require.Regexp(t, `(?m)^GetBook \| SELECT id, title, .* FROM books WHERE id = \$1 AND deleted_at IS NULL \| id=7 \| 0 rows \| .*$`, echo.String())
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	_, item, member := stock(t, store)
	loan := library.LendCopyParams{CopyID: item.ID, MemberID: member.ID}
	failure := errors.New("the desk is closed")

	// All is undone when the closure fails.
	err := store.InTx(ctx, func(tx *library.Repo) error {
		_, err := tx.LendCopy(ctx, loan)
		require.NoError(t, err)

		return failure
	})
	require.ErrorIs(t, err, failure)
	loans, err := store.ListLoansOfMember(ctx, member.ID, library.Page{})
	require.NoError(t, err)
	require.Empty(t, loans)

	// An inner transaction is a savepoint: what it refuses does not end the outer one.
	err = store.InTx(ctx, func(tx *library.Repo) error {
		if _, err := tx.LendCopy(ctx, loan); err != nil {
			return err
		}
		err := tx.InTx(ctx, func(tx *library.Repo) error {
			_, err := tx.LendCopy(ctx, loan)

			return err
		})
		require.ErrorIs(t, err, library.ErrCopyLent)

		return nil
	})
	require.NoError(t, err)
	loans, err = store.ListLoansOfMember(ctx, member.ID, library.Page{})
	require.NoError(t, err)
	require.Len(t, loans, 1)
}

// Two desks lend the one copy at the same time. One of them is told that it is lent.
func TestLoans_DoNotOverlap(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	_, item, member := stock(t, store)
	lend := func(desk *library.Repo) error {
		_, err := desk.LendCopy(ctx, library.LendCopyParams{CopyID: item.ID, MemberID: member.ID})

		return err
	}
	race := func(lend func(*library.Repo) error) []error {
		both := dbtxtest.NewBarrier(2)

		return dbtxtest.AtOnce(2, func(int) error {
			looked := false // InTx runs the closure again when the two have blocked each other

			return store.InTx(ctx, func(tx *library.Repo) error {
				if !looked {
					looked = true
					var lent bool
					err := tx.DB().QueryRow(ctx, "SELECT EXISTS (SELECT FROM loans WHERE copy_id = $1 AND returned_at IS NULL)", item.ID).Scan(&lent)
					both.Wait()
					if err != nil || lent {
						return fmt.Errorf("lent: %t %w", lent, err)
					}
				}

				return lend(tx)
			})
		})
	}
	errs := race(lend)
	if errs[0] == nil {
		errs[0], errs[1] = errs[1], errs[0]
	}
	require.ErrorIs(t, errs[0], library.ErrCopyLent)
	require.NoError(t, errs[1])

	// The control: without the constraint, both lend it.
	_, err := store.DB().Exec(ctx, "ALTER TABLE loans DROP CONSTRAINT loans_copy_id_excl; DELETE FROM loans")
	require.NoError(t, err)
	require.Equal(t, []error{nil, nil}, race(lend))
}
