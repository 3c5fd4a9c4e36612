package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"musicstore/layer/dbtest"

	"github.com/stretchr/testify/require"
)

// kindsSQL has an object of every kind that a schema may hold, and what makes sqlc stumble.
const kindsSQL = `CREATE EXTENSION btree_gist;
CREATE TYPE mood AS ENUM ('calm', 'loud');
CREATE TYPE "Size" AS ENUM ('S', 'L');
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE span AS RANGE (SUBTYPE = float8);
CREATE DOMAIN share AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 1);
CREATE SEQUENCE numbers;
CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT 2 * n; END;
CREATE FUNCTION twice(n text) RETURNS text LANGUAGE sql IMMUTABLE RETURN n || n;
CREATE FUNCTION largest(OUT n bigint, OUT name text) LANGUAGE plpgsql STABLE AS $$ BEGIN n := 1; END; -- 'odd" text; $x
$$;
CREATE FUNCTION size_of(m mood, OUT n integer) LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION moods(m mood[]) RETURNS mood[] LANGUAGE sql IMMUTABLE RETURN m;
CREATE TABLE rooms (
    id bigint DEFAULT nextval('public.numbers'::regclass),
    name text NOT NULL,
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    feeling mood NOT NULL DEFAULT 'calm',
    size "Size",
    tags text[] NOT NULL DEFAULT '{}',
    extra jsonb,
    part share,
    two pair,
    head bigint,
    CONSTRAINT rooms_name_key UNIQUE (name) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE "Bookings" (
    "Id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "roomId" bigint NOT NULL,
    "userName" text NOT NULL,
    during tstzrange NOT NULL,
    CONSTRAINT "Bookings_excl" EXCLUDE USING gist ("roomId" WITH =, during WITH &&)
);
ALTER TABLE ONLY rooms ADD CONSTRAINT rooms_pkey PRIMARY KEY (id);
ALTER TABLE rooms ADD CONSTRAINT rooms_head_fkey FOREIGN KEY (head) REFERENCES "Bookings" ON DELETE SET NULL;
ALTER TABLE "Bookings" ADD CONSTRAINT "Bookings_roomId_fkey" FOREIGN KEY ("roomId") REFERENCES rooms ON DELETE CASCADE;
CREATE UNIQUE INDEX rooms_lower_key ON rooms (lower(name)) INCLUDE (tags) WHERE head IS NULL;
COMMENT ON TABLE rooms IS 'where it is';
COMMENT ON FUNCTION twice(integer) IS 'by two';
CREATE FUNCTION busy(at timestamptz) RETURNS TABLE (room_id bigint, names text[]) LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;
CREATE FUNCTION all_rooms() RETURNS SETOF rooms LANGUAGE sql STABLE AS $$ SELECT rooms.* FROM rooms $$;
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.name := NEW.name || '!;'; RETURN NEW; END $f$;
CREATE TRIGGER shouts BEFORE INSERT ON rooms FOR EACH ROW WHEN (NEW.name <> '') EXECUTE FUNCTION shout();
CREATE PROCEDURE tidy(days integer) LANGUAGE sql AS $$ DELETE FROM rooms WHERE id < days $$;
CREATE AGGREGATE product(integer) (SFUNC = int4mul, STYPE = integer);
CREATE VIEW loud AS SELECT r.id, r.name, b.during FROM rooms r LEFT JOIN "Bookings" b ON b."roomId" = r.id WHERE feeling = 'loud';
CREATE MATERIALIZED VIEW counts AS SELECT feeling, count(*) AS n FROM rooms GROUP BY feeling;
CREATE UNIQUE INDEX counts_key ON counts (feeling);
CREATE TABLE logs (at date NOT NULL, what text, CONSTRAINT logs_key UNIQUE (at, what)) PARTITION BY RANGE (at);
CREATE TABLE logs_2026 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE logs_2027 (at date NOT NULL, what text);
ALTER TABLE ONLY logs ATTACH PARTITION logs_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
CREATE INDEX logs_2027_what_idx ON logs_2027 (what);
`

//nolint:unqueryvet // a row of a table or a view is a type of Go
const kindsQueries = `-- name: GetRoom :one
SELECT rooms.* FROM rooms WHERE id = @id;
-- name: CreateRoom :one
INSERT INTO rooms (name, feeling, size, tags, extra, part) VALUES (@name, @feeling, @size, @tags, @extra, @part) RETURNING *;
-- name: CreateBooking :many
INSERT INTO "Bookings" ("roomId", "userName", during)
SELECT id, @user_name, @during FROM rooms WHERE id = @room_id RETURNING "Id";
-- name: ListBookings :many
SELECT "Id", "userName" FROM "Bookings" WHERE "roomId" = @room_id ORDER BY "Id";
-- name: ListLoud :many
SELECT loud.* FROM loud ORDER BY id;
-- name: ListCounts :many
SELECT counts.* FROM counts ORDER BY feeling;
-- name: RefreshCounts :exec
REFRESH MATERIALIZED VIEW CONCURRENTLY counts;
-- name: ListLogs :many
SELECT logs.* FROM logs WHERE at >= @since ORDER BY at;
-- name: CreateLog :exec
INSERT INTO logs (at, what) VALUES ('2026-05-05', @what);
-- name: Twice :one
SELECT twice(@n::integer)::integer AS n;
-- name: GetSizeOf :one
SELECT size_of(@m) AS n;
-- name: GetLargest :one
SELECT l.* FROM largest() AS l;
-- name: ListBusy :many
SELECT b.room_id, b.names FROM busy(@at) AS b;
-- name: ListAllRooms :many
SELECT r.* FROM all_rooms() AS r ORDER BY id;
-- name: GetProduct :one
SELECT product(id::integer) FROM rooms;
-- name: Tidy :exec
CALL tidy(@days);
-- name: GetMoods :one
SELECT moods(@m::mood[])::mood[] AS m;
`

func TestGenerate_OfEveryKind(t *testing.T) {
	t.Parallel()
	out, metadata := runs(t, kindsSQL, kindsQueries)
	require.Equal(t, `CreateBooking true
CreateLog true
CreateRoom true
GetLargest false
GetMoods false
GetProduct false
GetRoom false
GetSizeOf false
ListAllRooms false
ListBookings false
ListBusy false
ListCounts false
ListLogs false
ListLoud false
RefreshCounts true
Tidy true
Twice false
`, out)
	require.Empty(t, absent(metadata,
		`{Name: "loud", View: true, File: "schema.sql:46",`,
		`{Name: "counts", View: true, File: "schema.sql:47",`,
		`{Name: "id", Type: "int8", NotNull: true, Sequence: "numbers"}`,
		`{Name: "Id", Type: "int8", NotNull: true, Sequence: "Bookings_Id_seq"}`,
		`{Name: "during", Type: "tstzrange"}`, // of loud: a LEFT JOIN may have none
		`{Name: "n", Type: "int8", NotNull: true}`,
		`{Name: "rooms_pkey", Kind: "primary key", Columns: []string{"id"}, Words: "room id already taken"}`,
		`{Name: "Bookings_excl", Kind: "exclusion", Columns: []string{"roomId", "during"},`,
		`{Table: "loud", Read: true, Select: []string{"id", "name", "during"}}`,
		`{Table: "logs", Insert: []string{"at", "what"}}`,
		`Enums: []dbtx.Enum{{Name: "mood", Labels: []string{"calm", "loud"}}, {Name: "Size"`,
		`Calls: []string{"product"}`, `Calls: []string{"tidy"}`, `Calls: []string{"busy"}`, `Calls: []string{"all_rooms"}`,
		`Kind: "partition", Name: "logs_2027", Table: "logs"}`,
		`Partitioned: true, Partitions: []string{"logs_2026", "logs_2027"}`,
		`SQL: "ALTER TABLE ONLY rooms ADD CONSTRAINT rooms_pkey PRIMARY KEY (id)"`,
	))
	require.Len(t, absent(metadata, `{Name: "logs_2026", File`, `{Name: "logs_2027", File`, "busy_row"), 3)
}

// absent returns which of the texts a file does not have.
func absent(file string, texts ...string) []string {
	return slices.DeleteFunc(texts, func(text string) bool { return strings.Contains(file, text) })
}

func TestGenerate_RefusesWhatSQLCWouldGetWrongOfASchema(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"db/queries/more.sql:2: A: sqlc can't tell which function twice is called: cast argument 1 to its type",
		"db/queries/more.sql:2: A: sqlc can't tell which function twice is called: cast its result to its type",
		"db/queries/more.sql:4: B: sqlc does not know that argument 1 of moods is an array: cast it to mood[]",
		"db/queries/more.sql:4: B: sqlc does not know that the result of moods is an array: cast it to mood[]",
		"db/queries/more.sql:6: C: largest returns several columns: write it behind FROM",
		"db/queries/more.sql:7: D: sqlc knows no columns of CALL: write :exec",
		"db/queries/more.sql:10: E: PostgreSQL alone makes rooms.upper_name: leave it out",
		"db/queries/more.sql:12: F: PostgreSQL alone makes Bookings.Id: leave it out",
		"db/queries/more.sql:14: G: PostgreSQL alone makes rooms.upper_name: leave it out",
		"db/schema/030_view.sql:1: doubled: sqlc can't tell which function twice is called: cast its result to its type",
	}, refused(t, map[string]string{
		"db/schema/020_kinds.sql": kindsSQL, "db/queries/more.sql": `-- name: A :one
SELECT twice(@n);
-- name: B :one
SELECT moods(@m);
-- name: C :one
SELECT largest();
-- name: D :one
CALL tidy(@days);
-- name: E :exec
INSERT INTO rooms (name, upper_name) VALUES (@name, @upper_name);
-- name: F :copyfrom
INSERT INTO "Bookings" ("Id", "roomId", "userName", during) VALUES (@id, @room_id, @user_name, @during);
-- name: G :exec
UPDATE rooms SET upper_name = @name WHERE id = @id;
-- name: H :exec
UPDATE rooms SET upper_name = DEFAULT WHERE id = @id;
-- name: I :exec
INSERT INTO "Bookings" ("Id", "roomId", "userName", during) OVERRIDING SYSTEM VALUE VALUES (@id, @room_id, @user_name, @during);
`, "db/schema/030_view.sql": "CREATE VIEW doubled AS SELECT twice(name) AS name FROM rooms;\n",
		"defaults.yaml": "internal/dbgen:\n  store: internal/store\n",
	}))
	require.Equal(t, []string{
		"db/queries/more.sql:2: A: logs_2027 is a partition: write its table logs, which PostgreSQL reads as fast",
		"db/schema/030_history.sql:2: DROP COLUMN is history: take the column out where its table is made",
		"db/schema/030_history.sql:3: Logs has no quotes, so PostgreSQL reads logs: write that, or \"Logs\" wherever it stands",
		"db/schema/030_history.sql:4: table logs is there already, at db/schema/020_kinds.sql:49: a schema says once what there is",
	}, refused(t, map[string]string{
		"db/schema/020_kinds.sql": kindsSQL, "db/queries/more.sql": "-- name: A :many\nSELECT logs.* FROM logs_2027;\n",
		"db/schema/030_history.sql": "\nALTER TABLE logs DROP COLUMN what;\nCREATE INDEX ON Logs (at);\nCREATE TABLE logs (id bigint);\n",
	}))
}

func TestGenerate_OfADump(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	dump, err := os.ReadFile("../schema/testdata/dump.sql")
	require.NoError(t, err)
	root := project(t, map[string]string{
		"db/schema/020_dump.sql": string(dump), "defaults.yaml": "internal/dbgen:\n  store: internal/store\n",
		"db/queries/more.sql": `-- name: CreateRoom :one
INSERT INTO rooms (name, feeling, tags) VALUES (@name, @feeling, @tags) RETURNING id;
-- name: ListLoud :many
SELECT loud.* FROM loud ORDER BY id;
-- name: ListLogs :many
SELECT logs.* FROM logs ORDER BY at;
`,
	})
	require.NoError(t, generate(t.Context(), root, t.Output()))
	metadata := tree(t, root)["internal/dbgen/metadata.go"]
	require.Empty(t, absent(metadata,
		`{Name: "id", Type: "int8", NotNull: true, Sequence: "numbers"}`,
		`{Name: "Id", Type: "int8", NotNull: true, Sequence: "Bookings_Id_seq"}`,
		`{Name: "rooms_name_key", Kind: "unique", Columns: []string{"name"}, Words: "room name already taken"}`,
		`SQL: "SET LOCAL check_function_bodies = off"`,
		`SQL: "ALTER INDEX logs_at_idx ATTACH PARTITION logs_2026_at_idx"`,
	))
	require.Len(t, absent(metadata, "OWNER TO"), 1)
}
