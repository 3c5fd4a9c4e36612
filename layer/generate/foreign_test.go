package main

import (
	"strings"
	"testing"

	"musicstore/layer/dbtest"

	"github.com/stretchr/testify/require"
)

// foreignSQL is a schema as others write it, and as pg_dump prints it: with public., ANY (ARRAY[…]) and keys of several columns.
const foreignSQL = `CREATE TYPE public.mood AS ENUM ('calm', 'loud');
CREATE DOMAIN public.amount AS numeric(12,2) CONSTRAINT amount_check CHECK ((VALUE >= (0)::numeric));
CREATE TABLE public.houses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan text DEFAULT 'free'::text NOT NULL,
    CONSTRAINT houses_plan_check CHECK ((plan = ANY (ARRAY['free'::text, 'team'::text]))),
    CONSTRAINT houses_code_check CHECK (((plan)::text = ANY ((ARRAY['free'::character varying, 'team'::character varying])::text[])))
);
CREATE TABLE public.people (
    house_id bigint NOT NULL REFERENCES public.houses ON DELETE CASCADE,
    id text NOT NULL,
    moods public.mood[] DEFAULT '{}'::public.mood[] NOT NULL,
    mood public.mood,
    limits public.amount[],
    "limit" public.amount NOT NULL,
    invited_by text,
    PRIMARY KEY (house_id, id),
    FOREIGN KEY (house_id, invited_by) REFERENCES public.people (house_id, id)
);
CREATE TABLE public.rooms (
    house_id bigint NOT NULL REFERENCES public.houses,
    id text NOT NULL,
    owner_id text NOT NULL,
    cleaner text,
    floor integer NOT NULL DEFAULT 0,
    PRIMARY KEY (house_id, id),
    CONSTRAINT rooms_owner_fk FOREIGN KEY (house_id, owner_id) REFERENCES public.people (house_id, id),
    CONSTRAINT rooms_cleaner_fk FOREIGN KEY (house_id, cleaner) REFERENCES public.people (house_id, id)
);
CREATE TABLE public.keys (
    house_id bigint NOT NULL, room_id text NOT NULL, PRIMARY KEY (house_id, room_id),
    FOREIGN KEY (house_id, room_id) REFERENCES public.rooms ON DELETE CASCADE
);
CREATE TABLE public.stays (
    house_id bigint NOT NULL, since date, until date CHECK (until > since),
    EXCLUDE USING gist (int8range(house_id, house_id, '[]') WITH =, daterange(since, until) WITH &&)
);
CREATE VIEW public.floors (house, top, n) AS SELECT house_id, max(floor)::integer, count(*) FROM public.rooms GROUP BY 1 UNION ALL SELECT 0, 0, 0;
CREATE MATERIALIZED VIEW public.names (house, name) AS WITH r AS (SELECT * FROM public.rooms) SELECT house_id, id FROM r;
CREATE TABLE log (id bigserial PRIMARY KEY, at date);
CREATE TABLE room_log (room text PRIMARY KEY) INHERITS (log);
CREATE TABLE "_Old" ("roomId" text PRIMARY KEY, house_id bigint REFERENCES houses);
`

//nolint:unqueryvet // a view as a whole is what is tested
const foreignQueries = `-- name: AddHouse :exec
INSERT INTO houses DEFAULT VALUES;
-- name: ListRooms :many
SELECT id FROM rooms WHERE house_id = @house_id ORDER BY id LIMIT @page_size+1 OFFSET @page * 10;
-- name: MoveRoom :exec
UPDATE rooms SET floor = floor + @up - @down*2, owner_id = lower(@owner COLLATE "C") WHERE id = sqlc.arg( id ) AND house_id = sqlc.arg("house_id")
    AND now() > @day::date AT TIME ZONE 'UTC' AND @ since::text::varchar < 'x';
-- name: AddRooms :exec
INSERT INTO rooms (house_id, id, owner_id, floor)
SELECT @house_id, r.id, r.owner_id, r.floor
FROM unnest(@ids::text[], @owner_ids::text[], @floors::integer[]) AS r (id, owner_id, floor);
-- name: AddPerson :one
INSERT INTO people (house_id, id, moods, mood, limits, "limit") VALUES (@house_id, @id, @moods, @mood, @limits, sqlc.arg('limit')) RETURNING *;
-- name: ListLoud :many
SELECT id FROM people WHERE @mood::mood = ANY (moods) AND mood = ANY (@moods::mood[]) ORDER BY id;
-- name: PutRoom :exec
INSERT INTO rooms AS r (house_id, id, owner_id, floor) VALUES (@house_id, @id, @owner_id, @floor)
ON CONFLICT (house_id, id) DO UPDATE SET (owner_id, floor) = ROW (EXCLUDED.owner_id, r.floor + 1);
-- name: ListTops :many
SELECT * FROM floors WHERE top > @top ORDER BY house;
-- name: ListNames :many
SELECT * FROM names WHERE name = @name ORDER BY house;
-- name: EmptyKeys :exec
TRUNCATE keys;
`

func TestGenerate_OfForeignSQL(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	out, metadata := runs(t, foreignSQL, foreignQueries)
	require.Equal(t, "AddHouse true\nAddPerson true\nAddRooms true\nEmptyKeys true\nListLoud false\nListNames false\nListRooms false\nListTops false\nMoveRoom true\nPutRoom true\n", out)
	require.Empty(t, absent(metadata,
		`{Name: "page_size", Type: "int4"}`, `{Name: "page", Type: "int4"}`,
		`{Name: "up", Type: "int4"}`, `{Name: "day", Type: "date"}`, `{Name: "since", Type: "text"}`,
		`{Name: "moods", Type: "mood", Array: true, `, `{Name: "limits", Type: "numeric", Array: true, `,
		`{Table: "keys", Empty: true}`, `Utility: true`, `Enums: []dbtx.Enum{{Name: "mood"`,
		`{Name: "stays_int8range_daterange_excl", Kind: "exclusion", Columns: []string{"house_id", "since", "until"}, `+
			`Words: "stay conflicts with another in house_id, since and until"}`,
		`{Name: "stays_check", `, `{Table: "floors", Read: true, Select: []string{"house", "top", "n"}}`, `{Name: "n", Type: "int8", `,
		`{Table: "names", Read: true, Select: []string{"house", "name"}}`,
		`Words: "house plan must be free or team"`,
		`Words: "invited by of the person does not exist", Referenced: "person has people"`,
		`Words: "owner of the room does not exist"`, `Words: "cleaner of the room does not exist"`,
		`Words: "room of the key does not exist"`, `Words: "house of the Old does not exist"`, `Words: "Old roomId already taken"`,
	))
}

func TestGenerate_FillsTheIDOfAKeyOfSeveralColumns(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	root := project(t, map[string]string{
		"db/schema/020_foreign.sql": foreignSQL, "defaults.yaml": "internal/dbgen:\n  store: internal/store\n  defaults:\n    \"*.id\": { on: insert, value: id }\n    \"*.room_id\": { on: insert, value: id }\n",
		"db/queries/more.sql": `-- name: AddPerson :one
INSERT INTO people (house_id, id, "limit") VALUES (@house_id, @id, @own_limit) RETURNING id;
-- name: AddKey :exec
INSERT INTO keys (house_id, room_id) VALUES (@house_id, @room_id);
`,
	})
	require.NoError(t, generate(t.Context(), root, t.Output()))
	metadata := tree(t, root)["internal/dbgen/metadata.go"]
	fills := func(query string) int {
		_, of, _ := strings.Cut(metadata, `Name: "`+query+`"`)
		of, _, _ = strings.Cut(of, "Uses:")

		return strings.Count(of, `By: "id"`)
	}
	require.Equal(t, 1, fills("AddPerson"))
	require.Equal(t, 0, fills("AddKey"), "it refers to a room")
}

func TestGenerate_SaysWhatToDoWhereSQLCIsWrong(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	of := func(query string) []string {
		return refused(t, map[string]string{
			"db/schema/020_foreign.sql": foreignSQL, "db/queries/more.sql": query, "defaults.yaml": "internal/dbgen:\n  store: internal/store\n",
		})
	}
	require.Equal(t, []string{
		"db/queries/more.sql:2: A: sqlc takes @mood for a list, because it stands beside ANY: cast it, @mood::mood",
	}, of("-- name: A :many\nSELECT id FROM people WHERE @mood = ANY (moods);\n"))
	require.Equal(t, []string{
		"db/queries/more.sql:2: A: sqlc takes the result of date_trunc for an interval: cast it to its type, such as timestamptz",
	}, of("-- name: A :one\nSELECT date_trunc('day', now());\n"))
	require.Equal(t, []string{
		"db/queries/more.sql:2: A: an @ has the name of a parameter behind it: write abs(…) for PostgreSQL's operator @",
	}, of("-- name: A :one\nSELECT @ (floor) FROM rooms WHERE id = @id;\n"))
	require.Equal(t, []string{
		"db/queries/more.sql:2: limit is a word of SQL, so a parameter can't have it behind an @: write sqlc.arg('limit')",
	}, of("-- name: A :many\nSELECT id FROM rooms LIMIT @limit;\n"))
	require.Equal(t, []string{
		`db/queries/more.sql:2: column reference "house_id" is ambiguous: sqlc does not see which table is meant, so write the table before the column`,
	}, of("-- name: A :exec\nWITH k AS (DELETE FROM keys WHERE keys.house_id = @house_id) UPDATE rooms SET floor = 1 WHERE house_id = @house_id;\n"))
	require.Equal(t, []string{
		`db/queries/more.sql:2: table alias "f" does not exist: sqlc does not know its columns, so cast the parameter that is compared with one, @x::type`,
	}, of("-- name: A :exec\nUPDATE rooms SET floor = 1 FROM (SELECT max(floor) AS top FROM rooms) AS f WHERE f.top > @top;\n"))
}
