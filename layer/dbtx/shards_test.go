package dbtx_test

import (
	"context"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/schema"
	"musicstore/layer/wireproxy"
)

// refusal is a write that a constraint refuses.
type refusal struct {
	kind, sentinel error
	table, column  string
	run            func(ctx context.Context, store *testdb.Repo) error
}

// refusals returns writes that are refused by a constraint of each kind.
func refusals(t *testing.T, store *testdb.Repo) map[string]refusal {
	t.Helper()
	reader, bought := newReader(t, store, "buyer@x"), newPaper(t, store, "Bought")
	sale := testdb.RecordSaleParams{ReaderID: reader.ID, PaperID: bought.ID, PaymentRef: "ref", AmountPaidCents: 1}
	newArticles(t, store, bought, 1)
	_, err := store.RecordSale(t.Context(), sale)
	require.NoError(t, err)
	sale.PaymentRef = "another"
	load := func(article testdb.LoadArticlesParams) func(context.Context, *testdb.Repo) error {
		return func(ctx context.Context, store *testdb.Repo) error {
			_, err := store.LoadArticles(ctx, []testdb.LoadArticlesParams{article})

			return err
		}
	}

	return map[string]refusal{
		"unique": {testdb.ErrUnique, testdb.ErrPaperNameTaken, "papers", "name", func(ctx context.Context, store *testdb.Repo) error {
			_, err := store.CreatePaper(ctx, paper("Bought"))

			return err
		}},
		"unique index": {testdb.ErrUnique, testdb.ErrInvitationOpen, "invitations", "reader_id", func(ctx context.Context, store *testdb.Repo) error {
			_, err := testdb.Store(store).DBTX().Exec(ctx, `INSERT INTO invitations (id, reader_id, token_hash, created_at, expires_at)
				SELECT md5(n::text), $1, sha256(n::text::bytea), now(), now() + interval '1 hour' FROM generate_series(1, 2) AS n`, reader.ID)

			return err
		}},
		"check": {testdb.ErrCheck, testdb.ErrPaperYearInvalid, "papers", "year", func(ctx context.Context, store *testdb.Repo) error {
			bad := paper("Bad")
			bad.Year = 1

			_, err := store.CreatePaper(ctx, bad)

			return err
		}},
		"not null": {testdb.ErrNotNull, testdb.Constraint("papers_name_not_null"), "papers", "name", func(ctx context.Context, store *testdb.Repo) error {
			_, err := testdb.Store(store).DBTX().Exec(ctx, "UPDATE papers SET name = NULL")

			return err
		}},
		"foreign key": {testdb.ErrForeignKey, testdb.ErrSalePaperUnknown, "sales", "paper_id", func(ctx context.Context, store *testdb.Repo) error {
			bad := sale
			bad.PaperID = -1
			_, err := store.RecordSale(ctx, bad)

			return err
		}},
		"referenced": {testdb.ErrReferenced, testdb.ErrPaperHasSales, "sales", "paper_id", func(ctx context.Context, store *testdb.Repo) error {
			_, err := store.DeletePaper(ctx, bought.ID)

			return err
		}},
		"copy, unique": {
			testdb.ErrUnique, testdb.ErrArticlePositionTaken, "articles", "display_order",
			load(testdb.LoadArticlesParams{PaperID: bought.ID, Name: "x", DisplayOrder: 1}),
		},
		"copy, check": {
			testdb.ErrCheck, testdb.ErrArticleLengthInvalid, "articles", "length_seconds",
			load(testdb.LoadArticlesParams{PaperID: bought.ID, Name: "x", LengthSeconds: -1, DisplayOrder: 2}),
		},
		"copy, foreign key": {
			testdb.ErrForeignKey, testdb.ErrArticlePaperUnknown, "articles", "paper_id",
			load(testdb.LoadArticlesParams{PaperID: -1, Name: "x", DisplayOrder: 1}),
		},
	}
}

// requireRefused asserts that each of the writes is refused with its own error.
func requireRefused(t *testing.T, store *testdb.Repo, all map[string]refusal) {
	t.Helper()
	for name, r := range all {
		err := r.run(t.Context(), store)
		require.ErrorIs(t, err, r.kind, name)
		require.ErrorIs(t, err, r.sentinel, name)
		var c *testdb.ConstraintError
		require.ErrorAs(t, err, &c, name)
		require.Equal(t, r.table, c.Table, name)
		require.Equal(t, r.column, c.Column, name)
		for other := range all {
			if all[other].sentinel != r.sentinel { //nolint:errorlint // the sentinels themselves
				require.NotErrorIs(t, err, all[other].sentinel, name)
			}
		}
	}
}

var inQuotes = regexp.MustCompile(`"([a-z_]+)"`)

// onShard gives the names of tables and constraints in a message the suffix of a shard.
func onShard(text string) string {
	return inQuotes.ReplaceAllStringFunc(text, func(quoted string) string {
		if !strings.Contains(quoted, "s_") && !strings.HasSuffix(quoted, `s"`) { // a column
			return quoted
		}

		return strings.TrimSuffix(quoted, `"`) + `_102008"`
	})
}

// shapes are the forms in which shards and forks return the error of a constraint.
var shapes = map[string]func(e *pgproto3.ErrorResponse){
	"Plain": func(*pgproto3.ErrorResponse) {},
	"RemoteShard": func(e *pgproto3.ErrorResponse) {
		e.Message = onShard(e.Message)
		e.SchemaName, e.TableName, e.ColumnName, e.ConstraintName, e.Routine = "", "", "", "", "ReportResultError"
	},
	"LocalShard": func(e *pgproto3.ErrorResponse) {
		e.Message = onShard(e.Message)
		e.TableName += "_102010"
		if e.ConstraintName != "" {
			e.ConstraintName += "_102010"
		}
	},
	"MessageAlone": func(e *pgproto3.ErrorResponse) {
		*e = pgproto3.ErrorResponse{Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: "XX000", Message: onShard(e.Message)}
	},
	"InGerman": func(e *pgproto3.ErrorResponse) {
		text := "Verletzung von " + strings.Join(inQuotes.FindAllString(e.Message, -1), " in ")
		*e = pgproto3.ErrorResponse{Severity: "FEHLER", Code: e.Code, Message: inQuotes.ReplaceAllString(text, "„$1“")}
	},
	"InFrench": func(e *pgproto3.ErrorResponse) {
		text := "viole " + strings.Join(inQuotes.FindAllString(e.Message, -1), ", ")
		*e = pgproto3.ErrorResponse{Severity: "ERREUR", Code: e.Code, Message: inQuotes.ReplaceAllString(text, "«\u00a0$1\u00a0»")}
	},
	"InRussianOnAShard": func(e *pgproto3.ErrorResponse) {
		text := regexp.MustCompile(`"(\w+)"`).ReplaceAllString(onShard(e.Message), "«$1»")
		*e = pgproto3.ErrorResponse{Severity: "ОШИБКА", Code: e.Code, Message: "нарушено " + text}
	},
}

func TestConstraintError_OfShardsAndForks(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	direct, err := testdb.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(direct.Close)
	all := refusals(t, direct)
	for shape, rewrite := range shapes {
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			proxy := wireproxy.New(t, url)
			proxy.Set(func(m wireproxy.Message) wireproxy.Action {
				if e, ok := m.Is.(*pgproto3.ErrorResponse); ok {
					rewrite(e)
				}

				return wireproxy.Pass
			})
			store, err := testdb.Open(t.Context(), proxy.URL("pool_max_conns=2"))
			require.NoError(t, err)
			defer store.Close()
			requireRefused(t, store, all)

			// The control: the fields of the error, which are all that there is on a plain server.
			_, err = store.DB().Exec(t.Context(), "UPDATE papers SET year = 1")
			pg := &pgconn.PgError{}
			require.ErrorAs(t, err, &pg)
			require.Equal(t, shape == "Plain", pg.ConstraintName == "papers_year_check")
		})
	}
}

func TestConstraintError_HasNoNameThatIsAValue(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	_, err := store.DB().Exec(t.Context(), `
		CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION USING ERRCODE = NEW.url, MESSAGE = NEW.name, DETAIL = NEW.name, HINT = NEW.name,
				COLUMN = NEW.name, CONSTRAINT = NEW.name, DATATYPE = NEW.name, TABLE = NEW.name, SCHEMA = NEW.name;
		END $$;
		CREATE TRIGGER tell BEFORE INSERT ON papers FOR EACH ROW EXECUTE FUNCTION tell()`)
	require.NoError(t, err)
	for _, code := range []string{
		"23505", "23503", "23514", "23502", "23P01", "23001", "42501", "42P01", "42703", "42601", "HV000", "22001", "2201W",
		"22P02", "25006", "0A000", "26000", "55P03", "57014", "53300", "P0001", "P0002", "XX000", "U0001", "28P01", "3D000",
	} {
		of := paper("hunter2")
		of.URL = code
		_, err := store.CreatePaper(t.Context(), of)
		require.Error(t, err, code)
		requireHides(t, err, "hunter2")
		pg := &pgconn.PgError{}
		require.ErrorAs(t, err, &pg, code)
		require.Equal(t, code, pg.Code)
	}
}

func TestUnsharded(t *testing.T) {
	t.Parallel()
	x := func(n int) string { return strings.Repeat("x", n) }
	known := map[string]bool{
		"papers_key": true, "years_key": true, "years_key_102008": true,
		x(62): true, "a" + x(62): true, "b" + x(54) + "_key": true, "c" + x(54) + "_key": true, "c" + x(54) + "_kez": true,
	}
	for name, want := range map[string]string{
		"papers_key":                     "papers_key",
		"papers_key_102008":              "papers_key",
		"years_key_102008":               "years_key_102008", // it is one of its own,
		"years_key_102008_102009":        "years_key_102008", // and has shards
		"years_key_102009":               "years_key",
		"papers_key_":                    "papers_key", // cut behind the line
		"papers_keys_102008":             "",
		"papers_key_1020x8":              "",
		"papers_key_102008_1":            "",
		"":                               "",
		"_1":                             "",
		x(62) + "_":                      x(62),                // cut at 63 bytes, the number is lost
		"a" + x(62):                      "a" + x(62),          // and so is the line
		"a" + x(55) + "_102008":          "a" + x(62),          // the name is cut instead
		"b" + x(46) + "_0a1b2c3d_102008": "b" + x(54) + "_key", // by Citus, with a hash
		"c" + x(46) + "_0a1b2c3d_102008": "",                   // two begin so
	} {
		got, ok := dbtx.Unsharded(known, name)
		require.Equal(t, want != "", ok, name)
		require.Equal(t, want, got, name)
	}
}

// TestCitus runs on a Citus cluster: MUSICSTORE_CITUS_URL is the URL of a database on it in which schemas may be created.
func TestCitus(t *testing.T) {
	t.Parallel()
	base := os.Getenv("MUSICSTORE_CITUS_URL")
	if base == "" {
		t.Skip("MUSICSTORE_CITUS_URL names no Citus cluster")
	}
	for name, c := range map[string]struct{ sharding, table string }{
		"ASchemaPerShop":  {"on", ""},
		"ReferenceTables": {"off", "SELECT create_reference_table($1::text::regclass)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin, err := pgx.Connect(t.Context(), base)
			require.NoError(t, err)
			defer admin.Close(context.WithoutCancel(t.Context()))
			own := "musicstore_" + testdb.NewID()
			_, err = admin.Exec(t.Context(), "SET citus.enable_schema_based_sharding = "+c.sharding)
			require.NoError(t, err)
			_, err = admin.Exec(t.Context(), "CREATE SCHEMA "+own)
			require.NoError(t, err)
			defer func() {
				_, err := admin.Exec(context.WithoutCancel(t.Context()), "DROP SCHEMA "+own+" CASCADE")
				require.NoError(t, err)
			}()
			u, err := url.Parse(base)
			require.NoError(t, err)
			store, err := testdb.Open(t.Context(), dbtxtest.With(t, u.String(), "search_path", own))
			require.NoError(t, err)
			defer store.Close()
			_, err = schema.Bootstrap(t.Context(), store.DB(), &dbgen.Metadata)
			require.NoError(t, err)
			for _, table := range dbtest.Tables() {
				if c.table != "" {
					_, err = store.DB().Exec(t.Context(), c.table, table)
					require.NoError(t, err)
				}
			}
			require.NoError(t, everyQuery(t.Context(), store))
			requireRefused(t, store, refusals(t, store))
		})
	}
}
