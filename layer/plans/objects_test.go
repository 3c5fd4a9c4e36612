package plans_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtest"
)

// objects is a schema with partitions, views, types, functions and names in mixed case, with which all is well.
const objects = `
CREATE TYPE "Mood" AS ENUM ('blue', 'red');
CREATE DOMAIN "Short" AS varchar(9);
CREATE TABLE "Guests" (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT "Guests_pkey" PRIMARY KEY,
    "Name" text, mood "Mood", nick "Short", "user" bigint, seated int4range,
    CONSTRAINT "Guests_seated" EXCLUDE USING gist (seated WITH &&)
);
CREATE TABLE visits (
    at date NOT NULL, id bigint NOT NULL, "Guest_id" bigint, note text,
    CONSTRAINT visits_pkey PRIMARY KEY (id, at),
    CONSTRAINT "visits_guest_fkey" FOREIGN KEY ("Guest_id") REFERENCES "Guests" ON DELETE CASCADE
) PARTITION BY RANGE (at);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE "Visits_2" PARTITION OF visits FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (id);
CREATE INDEX "visits_Guest" ON visits ("Guest_id", at);
CREATE TABLE parcels (
    at date NOT NULL, id bigint NOT NULL, CONSTRAINT parcels_pkey PRIMARY KEY (id, at)
) PARTITION BY RANGE (at); -- a job makes the partitions
CREATE VIEW "Shown" AS SELECT v.id, v.at, v.note, g."Name" FROM visits AS v JOIN "Guests" AS g ON g.id = v."Guest_id";
CREATE MATERIALIZED VIEW counts AS SELECT "Guest_id" AS guest, count(*) AS n FROM visits GROUP BY 1 WITH NO DATA;
CREATE UNIQUE INDEX counts_guest ON counts (guest);
CREATE FUNCTION double(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION of_guest(bigint) RETURNS SETOF visits LANGUAGE sql STABLE AS 'SELECT * FROM visits WHERE "Guest_id" = $1';`

// The queries and indexes of every kind of table are judged by the table that a person knows.
func TestCheck_KnowsEveryKindOfObject(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	db, err := pgxpool.New(t.Context(), dbtest.EmptyURL(t))
	require.NoError(t, err)
	t.Cleanup(db.Close)
	for name, c := range map[string]struct {
		change, query string
		want          []string
		reads         []string // the table and the index of each read
	}{
		"all is well": {},
		"a key of a partitioned table": {
			query: "SELECT * FROM visits WHERE id = @id", reads: []string{"visits visits_pkey"},
		},
		"a key under another name, of one partition": {
			query: "SELECT v.* FROM visits AS v WHERE v.at = '2026-01-05' AND v.id = @id", reads: []string{"visits visits_pkey"},
		},
		"days that the caller chooses": {
			query: `SELECT * FROM visits WHERE "Guest_id" = @guest AND at >= @since AND at < @until`, reads: []string{"visits visits_Guest"},
		},
		"a day that no partition is for": {
			query: "SELECT * FROM visits WHERE at = '2030-01-05' AND id = @id", reads: []string{"visits visits_pkey"},
		},
		"a partitioned table without partitions": {
			query: "SELECT * FROM parcels WHERE id = @id", reads: []string{"parcels parcels_pkey"},
		},
		"its index that nothing uses": {
			change: "CREATE INDEX parcels_at ON parcels (at)",
			want:   []string{"index parcels_at isn't used by any query or foreign key: DROP INDEX parcels_at;"},
		},
		"its index that a query uses": {
			change: "CREATE INDEX parcels_at ON parcels (at)",
			query:  "SELECT * FROM parcels WHERE at = @at", reads: []string{"parcels parcels_at"},
		},
		"a scan of all partitions is one": {
			query: "SELECT * FROM visits WHERE note = @note", reads: []string{"visits "},
			want: []string{"Query scans visits for note: CREATE INDEX visits_note_idx ON visits (note);"},
		},
		"a filter in all partitions is one": {
			query: `SELECT * FROM visits AS "V" WHERE "V"."Guest_id" = @guest AND note = @note`,
			want: []string{
				`Query filters visits by note after reading them by visits_Guest: CREATE INDEX "visits_Guest_id_note_idx" ON visits ("Guest_id", note);`,
			},
		},
		"a filter in all partitions that no index could spare": {
			query: `SELECT * FROM visits AS "V" WHERE "V"."Guest_id" = @guest AND note <> @note`,
		},
		"a queue of all partitions": {
			query: `SELECT * FROM visits WHERE note IS NULL ORDER BY id, at LIMIT 5 FOR UPDATE SKIP LOCKED`,
			want: []string{
				"Query filters visits by note after reading them by visits_pkey: CREATE INDEX visits_id_at_note_is_null_idx ON visits (id, at) WHERE note IS NULL;",
			},
		},
		"a sort of all partitions is one": {
			query: `SELECT * FROM visits WHERE "Guest_id" = @guest ORDER BY note`,
			want: []string{
				`Query sorts visits by note: CREATE INDEX "visits_Guest_id_note_idx" ON visits ("Guest_id", note);`,
			},
		},
		"a page of all partitions": {
			query: `SELECT * FROM visits WHERE "Guest_id" = @guest ORDER BY at DESC LIMIT 5`, reads: []string{"visits visits_Guest"},
		},
		"a change of all partitions": {
			query: `UPDATE visits SET note = '' WHERE "Guest_id" = @guest`, reads: []string{"visits visits_Guest"},
		},
		"a deletion from all partitions by nothing": {
			query: `DELETE FROM visits WHERE note = @note`, reads: []string{"visits "},
			want: []string{"Query scans visits for note: CREATE INDEX visits_note_idx ON visits (note);"},
		},
		"an excuse for all partitions": {
			query: "-- +plan scans visits: a report.\nSELECT count(*) FROM visits WHERE note = @note",
		},
		"an upsert": {
			query: "INSERT INTO visits (id, at) VALUES (@id, @at) ON CONFLICT (id, at) DO NOTHING", reads: []string{"visits visits_pkey"},
		},
		"a partitioned table's foreign key without an index": {
			change: `DROP INDEX "visits_Guest"`,
			want: []string{
				`foreign key visits_guest_fkey scans visits for "Guest_id": CREATE INDEX "visits_Guest_id_idx" ON visits ("Guest_id");`,
			},
		},
		"a partitioned table's index that nothing uses": {
			change: "CREATE INDEX visits_note ON visits (note)",
			want:   []string{"index visits_note isn't used by any query or foreign key: DROP INDEX visits_note;"},
		},
		"a partition's own index that nothing uses": {
			change: "CREATE INDEX mine ON visits_1 (note)",
			want:   []string{"index mine isn't used by any query or foreign key: DROP INDEX mine;"},
		},
		"a partitioned table without a primary key": {
			change: "ALTER TABLE visits DROP CONSTRAINT visits_pkey", want: []string{"table visits has no primary key"},
		},
		"a view": {
			query: `SELECT * FROM "Shown" WHERE id = @id`, reads: []string{"visits visits_pkey", "Guests Guests_pkey"},
		},
		"a view that scans": {
			query: `SELECT * FROM "Shown" WHERE "Name" = @name`,
			want:  []string{`Query walks Guests from end to end by Guests_pkey: CREATE INDEX "Guests_Name_idx" ON "Guests" ("Name");`},
		},
		"a materialized view": {
			query: "SELECT n FROM counts WHERE guest = @guest", reads: []string{"counts counts_guest"},
		},
		"a materialized view that is scanned": {
			query: "SELECT guest FROM counts WHERE n > @n",
			want:  []string{"Query scans counts for n: CREATE INDEX counts_n_idx ON counts (n);"},
		},
		"a materialized view's index that nothing uses": {
			change: "CREATE INDEX counts_n ON counts (n)",
			want:   []string{"index counts_n isn't used by any query or foreign key: DROP INDEX counts_n;"},
		},
		"names in mixed case": {
			query: `SELECT * FROM "Guests" WHERE "Name" = @name AND "user" > @user`,
			want:  []string{`Query scans Guests for "user", "Name": CREATE INDEX "Guests_Name_user_idx" ON "Guests" ("Name", "user");`},
		},
		"an index in mixed case that nothing uses": {
			change: `CREATE INDEX "My index" ON "Guests" ("Name")`,
			want:   []string{`index My index isn't used by any query or foreign key: DROP INDEX "My index";`},
		},
		"a constraint in mixed case that is another's": {
			change: `ALTER TABLE "Guests" ADD CONSTRAINT "Again" UNIQUE (id)`,
			want: []string{
				`index Again keeps no rule that Guests_pkey doesn't, and no query or foreign key needs it: ` +
					`ALTER TABLE "Guests" DROP CONSTRAINT "Again";`,
			},
		},
		"an index of an enum and a domain": {
			change: `CREATE INDEX "Guests_mood" ON "Guests" (mood, nick)`,
			query:  `SELECT id FROM "Guests" WHERE mood = 'red' AND nick = @nick`, reads: []string{"Guests Guests_mood"},
		},
		"a unique index of a domain": {
			change: `CREATE UNIQUE INDEX "Guests_nick" ON "Guests" (nick)`,
			query:  `SELECT id FROM "Guests" AS "G" WHERE "G".nick = @nick AND "G"."Name" = @name`, reads: []string{"Guests Guests_nick"},
		},
		"a partial index that includes a column": {
			change: `CREATE INDEX "Guests_red" ON "Guests" ("user") INCLUDE ("Name") WHERE mood = 'red'`,
			query:  `SELECT "Name" FROM "Guests" WHERE "user" = @user AND mood = 'red' FOR UPDATE SKIP LOCKED`,
			reads:  []string{"Guests Guests_red"},
		},
		"an index of an expression in mixed case": {
			change: `CREATE INDEX "Guests_lower" ON "Guests" (lower("Name"), "user")`,
			query:  `SELECT id FROM "Guests" AS g WHERE lower(g."Name") = @name AND g."user" > @user ORDER BY "user"`,
			reads:  []string{"Guests Guests_lower"},
		},
		"the index of an exclusion": {
			query: `SELECT id FROM "Guests" WHERE seated && @at::int4range`, reads: []string{"Guests Guests_seated"},
		},
		"a function": {query: "SELECT double(@n)", reads: []string{" "}},
		"a syntax that the server does not know": {
			query: "REFRESH MATERIALIZED VIEW counts", // the metadata of a real one has Utility
			want:  []string{`Query can't be planned: ERROR: syntax error at or near "REFRESH" (SQLSTATE 42601)`},
		},
		"a function that the planner looks into": {
			query: "SELECT * FROM of_guest(@guest)", reads: []string{"visits visits_Guest"},
		},
	} {
		all := []string{`GetGuest :one` + "\n" + `SELECT id FROM "Guests" WHERE id = @id`}
		if c.query != "" {
			all = append(all, "Query :many\n"+c.query)
		}
		report := changed(t, db, objects+c.change, known(all...))
		var got, reads []string
		for _, f := range report.Findings {
			got = append(got, f.String())
		}
		for _, r := range report.Reads {
			if r.Statement == "Query" {
				reads = append(reads, r.Table+" "+r.Index)
			}
		}
		require.Equal(t, c.want, got, "%s:\n%s", name, report)
		if c.reads != nil {
			require.ElementsMatch(t, c.reads, reads, "%s:\n%s", name, report)
		}
	}
}

func TestCheck_LeavesOutStatementsThatHaveNoPlan(t *testing.T) {
	t.Parallel()
	db, err := pgxpool.New(t.Context(), dbtest.EmptyURL(t))
	require.NoError(t, err)
	t.Cleanup(db.Close)
	m := known("GetGuest :one\n"+`SELECT id FROM "Guests" WHERE id = @id`, "Refresh :exec\nREFRESH MATERIALIZED VIEW counts")
	m.Queries[1].Utility = true
	report := changed(t, db, objects, m)
	require.Empty(t, report.Findings)
	for _, r := range report.Reads {
		require.NotEqual(t, "Refresh", r.Statement)
	}
}
