package library_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/library"
)

func databaseURL(store *library.Repo) string { return store.DB().(*pgxpool.Pool).Config().ConnString() }

func titles(books []library.Book) []string {
	names := make([]string, len(books))
	for i, b := range books {
		names[i] = b.Title
	}

	return names
}

func TestBooks_PagesAndFilters(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	var books []library.LoadBooksParams
	for i, title := range []string{"B", "A", "C", "A"} {
		books = append(books, library.LoadBooksParams{
			Title: title, Authors: []string{"x", "y" + strconv.Itoa(i)}, CreatedAt: noon.AddDate(0, 0, i),
			Details: json.RawMessage(`{"language": "` + []string{"de", "fr"}[i%2] + `", "n": ` + strconv.Itoa(i) + `}`),
		})
	}
	_, err := store.LoadBooks(ctx, books)
	require.NoError(t, err)

	// Two titles that are the same are on two pages.
	page := library.Page{Limit: 1}
	var all []library.Book
	for {
		books, err := store.ListBooks(ctx, page)
		require.NoError(t, err)
		if all = append(all, books...); len(books) == 0 {
			break
		}
		page.After = library.AfterBook(books[0])
	}
	require.Equal(t, []string{"A", "A", "B", "C"}, titles(all))
	var walked []library.Book
	for book, err := range store.AllBooks(ctx) {
		require.NoError(t, err)
		walked = append(walked, book)
	}
	require.Equal(t, all, walked)

	// A place belongs to its list.
	_, err = store.SearchBooks(ctx, library.SearchBooksParams{}, page)
	require.ErrorIs(t, err, library.ErrInvalid)
	require.EqualError(t, err, "search books: after: is a place in another list")

	// Each filter may be left out.
	search := func(p library.SearchBooksParams) []string {
		books, err := store.SearchBooks(ctx, p, library.Page{})
		require.NoError(t, err)

		return titles(books)
	}
	author, since := "y1", noon.AddDate(0, 0, 2)
	require.Equal(t, []string{"A", "A", "B", "C"}, search(library.SearchBooksParams{}))
	require.Equal(t, []string{"A"}, search(library.SearchBooksParams{Author: &author}))
	require.Equal(t, []string{"A", "C"}, search(library.SearchBooksParams{AddedSince: &since}))
	require.Equal(t, []string{"A"}, search(library.SearchBooksParams{AddedSince: &since, Details: json.RawMessage(`{"language": "fr"}`)}))

	// Arrays and jsonb have an index each.
	byAuthor, err := store.ListBooksByAuthor(ctx, "y0")
	require.NoError(t, err)
	require.Equal(t, []string{"B"}, titles(byAuthor))
	french, err := store.ListBooksWithDetails(ctx, json.RawMessage(`{"language": "fr"}`))
	require.NoError(t, err)
	require.Equal(t, []string{"A", "A"}, titles(french))
}

func TestBooks_AreDeletedSoftly(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	isbn := "9783161484100"
	params := trial
	params.ISBN = &isbn
	book, err := store.CreateBook(ctx, params)
	require.NoError(t, err)
	deleted, err := store.DeleteBook(ctx, library.DeleteBookParams{ID: book.ID})
	require.NoError(t, err)
	require.NotNil(t, deleted.DeletedAt)

	_, err = store.GetBook(ctx, book.ID)
	require.ErrorIs(t, err, library.ErrNotFound)
	_, err = store.GetBookByISBN(ctx, isbn)
	require.ErrorIs(t, err, library.ErrNotFound)
	_, err = store.DeleteBook(ctx, library.DeleteBookParams{ID: book.ID})
	require.ErrorIs(t, err, library.ErrNotFound)
	_, err = store.CreateBook(ctx, params)
	require.NoError(t, err, "its ISBN is free")
}

func TestCopies_InABatch(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	book, item, _ := stock(t, store)
	second, err := store.CreateCopy(ctx, library.CreateCopyParams{BookID: book.ID, Shelf: "K4", Condition: library.CopyConditionGood})
	require.NoError(t, err)
	store.SetConditions(ctx, []library.SetConditionsParams{
		{ID: item.ID, Condition: library.CopyConditionWorn}, {ID: second.ID, Condition: library.CopyConditionDamaged},
	}).Exec(func(_ int, err error) { require.NoError(t, err) })
	copies, err := store.ListCopies(ctx, book.ID)
	require.NoError(t, err)
	require.Equal(t, library.CopyConditionWorn, copies[0].Condition)
	require.Equal(t, library.CopyConditionDamaged, copies[1].Condition)
	store.SetConditions(ctx, []library.SetConditionsParams{{ID: item.ID, Condition: "eaten"}}).
		Exec(func(_ int, err error) { require.ErrorIs(t, err, library.ErrInvalid) })
}

func TestLoans_Overdue(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	_, item, member := stock(t, store)
	loan, err := store.LendCopy(ctx, library.LendCopyParams{CopyID: item.ID, MemberID: member.ID, LentAt: noon})
	require.NoError(t, err)
	overdue := func(at time.Time) []library.OverdueLoan {
		rows, err := store.ListOverdueLoans(ctx, at, library.Page{})
		require.NoError(t, err)

		return rows
	}
	require.Empty(t, overdue(loan.DueAt))
	late := loan.DueAt.Add(time.Hour)
	require.Equal(t, []library.OverdueLoan{
		{ID: loan.ID, MemberID: member.ID, CopyID: item.ID, DueAt: loan.DueAt, Title: "The Trial"},
	}, overdue(late))
	returned, err := store.ReturnCopy(ctx, library.ReturnCopyParams{CopyID: item.ID, ReturnedAt: late})
	require.NoError(t, err)
	require.Equal(t, late, *returned.ReturnedAt)
	require.Empty(t, overdue(late))
	_, err = store.ReturnCopy(ctx, library.ReturnCopyParams{CopyID: item.ID, ReturnedAt: late})
	require.ErrorIs(t, err, library.ErrNotFound)
}

func TestFines(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	_, item, member := stock(t, store)
	owed := func() string {
		amount, err := store.MemberOwes(ctx, member.ID)
		require.NoError(t, err)
		text, err := amount.Value()
		require.NoError(t, err)

		return text.(string)
	}
	require.Equal(t, "0", owed())
	for i, amount := range []string{"0.10", "0.20"} { // which are 0.30000000000000004 as float64
		day := noon.AddDate(0, i, 0)
		loan, err := store.LendCopy(ctx, library.LendCopyParams{CopyID: item.ID, MemberID: member.ID, LentAt: day})
		require.NoError(t, err)
		_, err = store.ReturnCopy(ctx, library.ReturnCopyParams{CopyID: item.ID, ReturnedAt: day})
		require.NoError(t, err)
		var exact pgtype.Numeric
		require.NoError(t, exact.Scan(amount))
		_, err = store.FineLoan(ctx, library.FineLoanParams{LoanID: loan.ID, Amount: exact})
		require.NoError(t, err)
		if i == 1 {
			require.Equal(t, "0.30", owed())
			_, err = store.PayFine(ctx, library.PayFineParams{LoanID: loan.ID, PaidAt: noon})
			require.NoError(t, err)
		}
	}
	require.Equal(t, "0.10", owed())
}

// Two desks take the next hold at the same time. Each gets another, and neither waits.
func TestHolds_AreAQueue(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	first, _, member := stock(t, store)
	second, err := store.CreateBook(ctx, trial)
	require.NoError(t, err)
	for _, book := range []library.Book{first, second} {
		_, err := store.PlaceHold(ctx, library.PlaceHoldParams{BookID: book.ID, MemberID: member.ID})
		require.NoError(t, err)
	}
	next := library.TakeHoldsParams{ReadyAt: noon, PageSize: 1}
	err = store.InTx(ctx, func(desk *library.Repo) error {
		one, err := desk.TakeHolds(ctx, next)
		require.NoError(t, err)
		require.Equal(t, first.ID, one[0].BookID)

		// The control: without SKIP LOCKED, the other desk waits for this one.
		_, err = store.DB().Exec(ctx, "SET lock_timeout = '20ms'; SELECT FROM holds WHERE ready_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE")
		require.ErrorContains(t, err, "lock")

		other, err := store.TakeHolds(ctx, next)
		require.NoError(t, err)
		require.Equal(t, second.ID, other[0].BookID)

		return nil
	})
	require.NoError(t, err)
	none, err := store.TakeHolds(ctx, next)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestEvents_AreInTheirMonths(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ctx := t.Context()
	someone := library.NewID()
	var events []library.RecordEventsParams
	for month := range 3 {
		events = append(events, library.RecordEventsParams{
			HappenedAt: noon.AddDate(0, month, 0), Kind: "visit", MemberID: &someone, Details: json.RawMessage("{}"),
		})
	}
	_, err := store.RecordEvents(ctx, events)
	require.NoError(t, err)
	for _, partition := range []string{"events_2026_11", "events_2026_12", "events_other"} {
		var n int
		require.NoError(t, store.DB().QueryRow(ctx, "SELECT count(*) FROM "+partition).Scan(&n))
		require.Equal(t, 1, n, partition)
	}
	of, err := store.ListEventsOfMember(ctx, library.ListEventsOfMemberParams{MemberID: someone, Since: noon, Until: noon.AddDate(1, 0, 0)})
	require.NoError(t, err)
	require.Len(t, of, 3)
}
