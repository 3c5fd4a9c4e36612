package repo_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// found returns the names that a search finds, in its order.
func found(tb testing.TB, store *repo.Repo, text string, s repo.Search) []string {
	tb.Helper()
	hits, err := store.SearchCatalog(tb.Context(), text, s)
	require.NoError(tb, err)
	names := []string{}
	for _, h := range hits {
		names = append(names, h.Name)
	}

	return names
}

// words are texts for a name, and texts that are none for it.
var words = []struct {
	name        string
	finds, miss []string
}{
	{
		"Year of the Snake",
		[]string{"snake year", "SNAKE", "sna", "of the", "year y", "the the", " snake! "},
		[]string{"yea snake", "nake", "snakes", "year dog", "", " ", "!", "-snake | dog"},
	},
	{"Rock'n'Roll", []string{"rock n roll", "rock’n’roll", "Rock'n'Roll", "roll'"}, []string{"rocknroll"}},
	{"Guns N’ Roses — Live…", []string{"guns n' roses", "guns n roses live", "GUNS-N-ROSES"}, []string{"gunsn"}},
	{"AC/DC", []string{"ac/dc", "ac dc", "dc ac", "AC-DC", "ac/d"}, []string{"acdc", "d/ac"}},
	{"https://example.org/a_b.c?d=e", []string{"example", "org/a", "a_b", "https example.org"}, []string{"ample"}},
	{"me@example.com -1.5e3 v1.2.3 50%", []string{"me@example", "1.5e3", "-1", "v1 2 3", "50 %", "50%"}, []string{"e3"}},
	{"Ágætis byrjun", []string{"agaetis", "ÁGÆTIS BYRJUN", "A\u0301gætis", "byrjun ágæ"}, []string{"agatis"}},
	{"Blå Øl på Þórsmörk", []string{"bla ol", "BLÅ ØL", "thorsmork", "þó"}, []string{"bl ol"}},
	{"Straße nach Łódź", []string{"strasse", "STRASSE", "STRAẞE", "lodz nach"}, []string{"strase"}},
	{"İstanbul Işıklar", []string{"istanbul", "ISTANBUL", "isiklar", "ışıklar", "IŞIKLAR"}, []string{"stanbul"}},
	{"Đường về", []string{"duong ve", "ĐƯỜNG", "đường"}, []string{"dong"}},
	{"Звезда по имени Ёлка", []string{"ЗВЕЗДА", "звезда ИМЕНИ", "елка", "ё"}, []string{"везда"}},
	{"Ωμέγας ΟΔΟΣ", []string{"ωμεγασ", "ΩΜΈΓΑΣ", "οδος", "ὁδός"}, []string{"μεγα"}},
	{"無罪モラトリアム", []string{"無罪", "モラトリアム", "ﾓﾗﾄﾘｱﾑ", "罪 モ"}, []string{"無罪放免"}},
	{"한국어 노래", []string{"한국", "노래 한국어"}, []string{"국어"}},
	{"ﬁve ①②③ ｆｕｌｌ", []string{"five 123", "full"}, []string{"ve"}},
	{"zero\u200bwidth soft\u00adhyphen", []string{"zerowidth", "softhyphen", "zero"}, []string{"width"}},
	{"1999", []string{"1999", "19", "１９９９"}, []string{"99"}},
	{"😀", nil, []string{"😀", "a"}},
	{"(c) O'Neil \\ : * & | ! <->", []string{"c o neil", `o\neil`, "o&neil:*", "neil <-> c"}, []string{"o'n c'x"}},
}

func findsWords(t *testing.T, store *repo.Repo) {
	t.Helper()
	for i, w := range words {
		_, err := store.CreateAlbum(t.Context(), repo.NewAlbum{
			Name: fmt.Sprint("Album ", i), URL: "url-" + strconv.Itoa(i), Year: 1991, IsPublished: true,
			Tracks: []repo.NewTrack{{Name: w.name}},
		})
		require.NoError(t, err)
	}
	for _, w := range words {
		for _, text := range append(w.finds, w.name) {
			if strings.ContainsFunc(text, unicode.IsLetter) || strings.ContainsFunc(text, unicode.IsNumber) {
				require.Contains(t, found(t, store, text, repo.Search{}), w.name, text)
			}
		}
		for _, text := range w.miss {
			require.NotContains(t, found(t, store, text, repo.Search{}), w.name, text)
		}
	}
}

func TestSoak_SearchCatalog_FindsTheSameInEveryLocale(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	inLocales(t, everyLocale, func(_ string, store *repo.Repo) { findsWords(t, store) })
}

func TestRepo_SearchCatalog(t *testing.T) {
	t.Parallel()

	t.Run("FindsWordsWhateverTheirSpelling", func(t *testing.T) {
		t.Parallel()
		findsWords(t, dbtest.New(t))
	})
	t.Run("FindsTheSameInAnotherLocale", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		// The test before this one has the locale C, and TestSoak_SearchCatalog_FindsTheSameInEveryLocale the others.
		inLocales(t, inTurkish, func(_ string, store *repo.Repo) { findsWords(t, store) })
	})
	t.Run("ReturnsTracksWithTheirAlbum", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAlbum(t, store, "Snake", 1)
		hits, err := store.SearchCatalog(t.Context(), "snake", repo.Search{})
		require.NoError(t, err)
		of := repo.CatalogHit{AlbumID: a.ID, AlbumName: "Snake", AlbumURL: "snake", Year: 1991, PriceCents: 999, IsPublished: true}
		album, track := of, of
		album.Kind, album.ID, album.Name = repo.KindAlbum, a.ID, "Snake"
		track.Kind, track.ID, track.Name = repo.KindTrack, a.Tracks[0].ID, "Snake 1"
		require.Equal(t, []repo.CatalogHit{album, track}, hits)
	})
	t.Run("ReturnsAnEmptyListWhenThereIsNothing", func(t *testing.T) {
		t.Parallel()
		hits, err := dbtest.New(t).SearchCatalog(t.Context(), "snake", repo.Search{})
		require.NoError(t, err)
		require.Equal(t, []repo.CatalogHit{}, hits)
	})
	t.Run("FollowsAChange", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAlbum(t, store, "Snake", 0)
		_, err := store.UpdateAlbum(t.Context(), repo.UpdateAlbumParams{ID: a.ID, Name: "Dragon", URL: "d", Year: 1992, IsPublished: true})
		require.NoError(t, err)
		require.Empty(t, found(t, store, "snake", repo.Search{}))
		require.Equal(t, []string{"Dragon"}, found(t, store, "dragon", repo.Search{}))
		_, err = store.UnpublishAlbum(t.Context(), a.ID)
		require.NoError(t, err)
		require.Empty(t, found(t, store, "dragon", repo.Search{}))
		require.Equal(t, []string{"Dragon"}, found(t, store, "dragon", repo.Search{UnpublishedToo: true}))
	})
	t.Run("RefusesWhatCannotBe", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		free := int64(0)
		for why, test := range map[string]struct {
			text string
			s    repo.Search
		}{
			"text: has more than 200 characters":            {strings.Repeat("é", 201), repo.Search{}},
			"text: has a NUL character":                     {"a\x00", repo.Search{}},
			"text: is not valid UTF-8":                      {"a\xff", repo.Search{}},
			"sort: must be relevance, year, price or name":  {"a", repo.Search{Sort: "rank"}},
			"year_from: is after year_to":                   {"a", repo.Search{YearFrom: 1999, YearTo: 1990}},
			"price_cents_from: is more than price_cents_to": {"a", repo.Search{PriceCentsFrom: 1, PriceCentsTo: &free}},
			"limit: must be from 0 to 1000":                 {"a", repo.Search{Page: repo.Page{Limit: 1001}}},
			"after: is no place in this list":               {"a", repo.Search{Page: repo.Page{After: "1_1"}}},
			"after: is a place in another list": {
				"a", repo.Search{Page: repo.Page{After: repo.AfterAlbum(repo.AlbumWithTracks{Album: repo.Album{ID: 1}})}},
			},
		} {
			_, err := store.SearchCatalog(t.Context(), test.text, test.s)
			require.ErrorIs(t, err, repo.ErrInvalid)
			require.EqualError(t, err, "search catalog: "+why)
		}
		require.Empty(t, found(t, store, strings.Repeat("é", 200), repo.Search{}))
	})
	t.Run("RefusesAPlaceOfAnotherSearch", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		hit := repo.CatalogHit{Kind: repo.KindAlbum, ID: 1, Name: "Snake"}
		free := int64(0)
		after := repo.AfterCatalogHit("snake", repo.Search{}, hit)
		same := repo.Search{Sort: repo.ByRelevance, Page: repo.Page{After: after, Limit: 7}}
		require.Empty(t, found(t, store, "snake", same), "the limit is no part of it, and relevance is the order of none")
		for _, other := range []repo.Search{
			{Sort: repo.ByName}, {YearFrom: 1}, {YearTo: 1}, {PriceCentsFrom: 1}, {PriceCentsTo: &free}, {UnpublishedToo: true},
		} {
			other.After = after
			_, err := store.SearchCatalog(t.Context(), "snake", other)
			require.EqualError(t, err, "search catalog: after: is a place in another list")
		}
		_, err := store.SearchCatalog(t.Context(), "snakes", same)
		require.EqualError(t, err, "search catalog: after: is a place in another list")
		for n := 1; n < len(after); n++ {
			same.After = after[:n]
			_, err := store.SearchCatalog(t.Context(), "snake", same)
			require.EqualError(t, err, "search catalog: after: is no place in this list", same.After)
		}
	})
}

// An oracle: what a search is to return, from the albums and nothing else.
func oracle(albums []repo.AlbumWithTracks, text string, s repo.Search) []repo.CatalogHit {
	hits := []repo.CatalogHit{}
	for _, a := range albums {
		in := (a.IsPublished || s.UnpublishedToo) && a.Year >= s.YearFrom && (s.YearTo == 0 || a.Year <= s.YearTo) &&
			a.PriceCents >= s.PriceCentsFrom && (s.PriceCentsTo == nil || a.PriceCents <= *s.PriceCentsTo)
		hit := repo.CatalogHit{
			Kind: repo.KindAlbum, ID: a.ID, Name: a.Name, AlbumID: a.ID, AlbumName: a.Name, AlbumURL: a.URL,
			Year: a.Year, PriceCents: a.PriceCents, IsPublished: a.IsPublished,
		}
		for _, t := range append([]repo.Track{{ID: a.ID, Name: a.Name}}, a.Tracks...) {
			hit.ID, hit.Name = t.ID, t.Name
			if in && strings.HasPrefix(folded(t.Name), text) { // the names here begin with the word
				hits = append(hits, hit)
			}
			hit.Kind = repo.KindTrack
		}
	}
	slices.SortFunc(hits, func(a, b repo.CatalogHit) int {
		var order int
		switch s.Sort {
		case repo.ByYear:
			order = cmp.Compare(b.Year, a.Year)
		case repo.ByPrice:
			order = cmp.Compare(a.PriceCents, b.PriceCents)
		case repo.ByName:
			order = cmp.Compare(folded(a.Name), folded(b.Name))
		default:
			order = cmp.Compare(len([]rune(a.Name)), len([]rune(b.Name)))
		}

		return cmp.Or(order, cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})

	return hits
}

// folded is a name without case, accents and punctuation, as far as the names here have it.
func folded(name string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case r == 'ø':
			return 'o'
		case r == '_':
			return ' '
		default:
			return unicode.ToLower(r)
		}
	}, norm.NFKD.String(name))

	return strings.Join(strings.Fields(plain), "  ")
}

// combinations are all orders with each kind of bound, and all bounds at once.
func combinations() []repo.Search {
	low := int64(200)
	var all []repo.Search
	for _, sort := range []repo.SearchSort{"", repo.ByYear, repo.ByPrice, repo.ByName} {
		for _, s := range []repo.Search{
			{},
			{UnpublishedToo: true},
			{YearFrom: 1991},
			{YearTo: 1991},
			{PriceCentsFrom: 100},
			{PriceCentsTo: &low},
			{UnpublishedToo: true, YearFrom: 1990, YearTo: 1991, PriceCentsFrom: 100, PriceCentsTo: &low},
		} {
			s.Sort = sort
			all = append(all, s)
		}
	}

	return all
}

// pages walks a search in pages of a size.
func pages(t *testing.T, store *repo.Repo, text string, s repo.Search, size int) []repo.CatalogHit {
	t.Helper()
	all := []repo.CatalogHit{}
	for s.Limit = size; ; {
		hits, err := store.SearchCatalog(t.Context(), text, s)
		require.NoError(t, err)
		require.LessOrEqual(t, len(hits), size)
		all = append(all, hits...)
		if len(hits) < size {
			return all
		}
		s.After = repo.AfterCatalogHit(text, s, hits[len(hits)-1])
	}
}

func TestRepo_SearchCatalog_PagesAreTheWholeInOrder(t *testing.T) {
	t.Parallel()
	pagesAreTheWhole(t, 1)
}

func TestSoak_SearchCatalog_PagesAreTheWholeInOrder(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	pagesAreTheWhole(t, 5)
}

// pagesAreTheWhole compares searches in pages of several sizes with an oracle, in so many random catalogues.
func pagesAreTheWhole(t *testing.T, seeds uint64) {
	t.Helper()
	for seed := range seeds {
		store := dbtest.New(t)
		random := rand.New(rand.NewPCG(seed, seed))
		name := func() string { // few names, of few lengths, so that there are many ties
			return []string{"Love", "love", "LÓVE", "Lovér", "Løve", "Loved _", "Hate"}[random.IntN(7)]
		}
		var albums []repo.AlbumWithTracks
		for n := range 10 {
			a := repo.NewAlbum{
				Name: fmt.Sprint(name(), " ", n), Year: int32(1990 + random.IntN(3)), PriceCents: int64(100 * random.IntN(4)),
				IsPublished: random.IntN(4) > 0,
			}
			for range random.IntN(4) {
				a.Tracks = append(a.Tracks, repo.NewTrack{Name: name()})
			}
			made, err := store.CreateAlbum(t.Context(), a)
			require.NoError(t, err)
			albums = append(albums, made)
		}
		for _, s := range combinations() {
			want := oracle(albums, "lov", s)
			require.NotEmpty(t, want)
			for _, size := range []int{1, 3, 1000} {
				require.Equal(t, want, pages(t, store, "lov", s, size), "%+v in pages of %d, seed %d", s, size, seed)
			}
		}
		all := []repo.CatalogHit{}
		for hit, err := range store.AllCatalogHits(t.Context(), "lov", repo.Search{Sort: repo.ByName}) {
			require.NoError(t, err)
			all = append(all, hit)
		}
		require.Equal(t, oracle(albums, "lov", repo.Search{Sort: repo.ByName}), all)
	}
}

func TestRepo_SearchCatalog_GoesOnBehindADeletedHit(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	for _, name := range []string{"Snake A", "Snake B", "Snake C"} {
		newAlbum(t, store, name, 0)
	}
	for _, sort := range []repo.SearchSort{repo.ByRelevance, repo.ByYear, repo.ByPrice, repo.ByName} {
		require.ErrorIs(t, store.InTx(t.Context(), func(tx *repo.Repo) error {
			s := repo.Search{Sort: sort, Page: repo.Page{Limit: 2}}
			hits, err := tx.SearchCatalog(t.Context(), "snake", s)
			require.NoError(t, err)
			require.Len(t, hits, 2)
			s.After = repo.AfterCatalogHit("snake", s, hits[1])
			_, err = tx.DeleteAlbum(t.Context(), hits[1].ID)
			require.NoError(t, err)
			require.Equal(t, []string{"Snake C"}, found(t, tx, "snake", s))

			return errOwn // which undoes it
		}), errOwn)
	}
}

// spy is a database that keeps the last query.
type spy struct {
	repo.DB

	sql  string
	args []any
}

func (s *spy) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.sql, s.args = sql, args

	return s.DB.Query(ctx, sql, args...)
}

func TestRepo_SearchCatalog_FindsByIndexWhateverTheOrderAndBounds(t *testing.T) {
	t.Parallel()
	db, err := pgx.Connect(t.Context(), dbtest.URL(t))
	require.NoError(t, err)
	defer db.Close(context.WithoutCancel(t.Context()))
	_, err = db.Exec(t.Context(), `
		INSERT INTO albums (name, url, year, price_cents, has_preview, is_published)
		SELECT 'Album ' || n, n, 1950 + n % 70, n % 2000, true, n % 10 > 0 FROM generate_series(1, 1000) AS n;
		INSERT INTO tracks (album_id, name, length_seconds, display_order)
		SELECT id, 'Track ' || id, 60, n FROM albums CROSS JOIN generate_series(1, 5) AS n;
		ANALYZE`)
	require.NoError(t, err)
	watched := &spy{DB: db}
	store := repo.New(watched)
	plan := func(mode string) string {
		var values []string
		for _, arg := range watched.args {
			values = append(values, fmt.Sprintf("'%v'", arg))
		}
		_, err := db.Exec(t.Context(), "SET plan_cache_mode = "+mode+"; PREPARE search AS "+watched.sql)
		require.NoError(t, err)
		rows, err := db.Query(t.Context(), "EXPLAIN EXECUTE search("+strings.Join(values, ", ")+")", pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		_, err = db.Exec(t.Context(), "DEALLOCATE search")
		require.NoError(t, err)

		return strings.Join(lines, "\n")
	}
	for _, s := range combinations() {
		require.LessOrEqual(t, len(found(t, store, "100 tra", s)), 50)
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			got := plan(mode)
			for _, scan := range []string{
				"Bitmap Index Scan on albums_search_idx", "Bitmap Index Scan on tracks_search_idx", "Index Scan using albums_pkey",
			} {
				require.Contains(t, got, scan, "%+v", s)
			}
			require.NotContains(t, got, "Seq Scan")
		}
	}
	// The control: without the index of one table, that table is read whole.
	_, err = db.Exec(t.Context(), "DROP INDEX tracks_search_idx")
	require.NoError(t, err)
	require.Contains(t, plan("force_generic_plan"), "Seq Scan on tracks")
}

// PostgreSQL puts the body of fold_name in the place of its calls. So an index of a version that had the expression itself, and
// no function, serves the query.
func TestRepo_SearchCatalog_UsesAnIndexThatWasMadeWithoutTheFunction(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	db := dbtest.Pool(t)
	var expression string
	require.NoError(t, db.QueryRow(t.Context(), "SELECT pg_get_function_sqlbody('fold_name'::regproc)").Scan(&expression))
	expression = strings.TrimPrefix(expression, "RETURN ")
	plan := func(as string) string {
		_, err := db.Exec(t.Context(), "DROP INDEX tracks_search_idx; CREATE INDEX tracks_search_idx ON tracks USING gin (to_tsvector('simple', "+as+"))")
		require.NoError(t, err)
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		defer tx.Rollback(t.Context())
		_, err = tx.Exec(t.Context(), "SET LOCAL enable_seqscan = off")
		require.NoError(t, err)
		rows, err := tx.Query(t.Context(), "EXPLAIN SELECT FROM tracks WHERE to_tsvector('simple', fold_name(name COLLATE \"C\")) @@ to_tsquery('simple', 'a')")
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)

		return strings.Join(lines, "\n")
	}
	require.Contains(t, plan(expression), "Index Scan on tracks_search_idx")
	require.Contains(t, plan("upper("+expression+")"), "Seq Scan", "the control: another expression")
}
