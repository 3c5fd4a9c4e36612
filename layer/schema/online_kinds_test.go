package schema_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/schema"

	"github.com/stretchr/testify/require"
)

var (
	rewrite = schema.MigrateOptions{AllowRewrite: true}
	loss    = schema.MigrateOptions{AllowLoss: true}
	prune   = schema.MigrateOptions{AllowLoss: true, Prune: true}
)

// column is what the marks and defaults say of a column.
func column(table string, c dbtx.Column) []*dbtx.Table {
	return []*dbtx.Table{{Name: table, Columns: []dbtx.Column{c}}}
}

const last = "    CONSTRAINT things_pkey PRIMARY KEY (id)\n"

// few are the kinds that `make test` runs, and some those of `make soak`.
var (
	few  = []string{"column added, NOT NULL with fill"}
	some = []string{
		"column added, NOT NULL with fill", "column added, derived", "column swapped", "type widened, with a check and an expression index",
		"identity to bigint with its foreign key", "NOT NULL set", "primary key added", "check changed", "foreign key added", "exclusion added",
		"index changed", "index left INVALID", "index of a partitioned table", "domain changed", "table added",
	}
)

func TestMigrate_NobodyWaits(t *testing.T) { //nolint:tparallel // one change after the other, or they would wait for each other
	t.Parallel()
	dbtest.Full(t)
	shared(3000).changes(t, chosen(few))
}

func TestSoak_MigrateNobodyWaits(t *testing.T) { //nolint:paralleltest // the others' stalls are measured
	dbtest.Soak(t)
	private(t, 300_000).changes(t, chosen(some))
}

func TestTorture_MigrateNobodyWaits(t *testing.T) { //nolint:paralleltest // the others' stalls are measured
	if os.Getenv("MUSICSTORE_TORTURE") == "" {
		t.Skip("a very long one: make torture")
	}
	private(t, 1_000_000).changes(t, allKinds)
}

func chosen(names []string) (list []kind) {
	for _, k := range allKinds {
		for _, name := range names {
			if k.name == name {
				list = append(list, k)
			}
		}
	}

	return list
}

// a kind has what is in the base's text, and what the new schema has there.
var allKinds = []kind{
	{
		name: "column added", change: []string{"    note text,", "    note text,\n    nick text,"},
		naive: "ALTER TABLE things ADD COLUMN nick text",
	},
	{
		name: "column added, NOT NULL with fill", change: []string{"    note text,", "    note text,\n    slug text NOT NULL,"},
		tables: column("things", dbtx.Column{Name: "slug", Type: "text", NotNull: true, Fill: "lower(code)"}),
		naive:  "ALTER TABLE things ADD COLUMN slug text; UPDATE things SET slug = lower(code); ALTER TABLE things ALTER COLUMN slug SET NOT NULL",
		scans:  true,
	},
	{
		name: "column added, Go default for an id", change: []string{"    note text,", "    note text,\n    key text NOT NULL,"},
		tables: column("things", dbtx.Column{Name: "key", Type: "text", NotNull: true, By: dbtx.ID}),
		naive:  "ALTER TABLE things ADD COLUMN key text NOT NULL DEFAULT gen_random_uuid()::text",
		scans:  true,
	},
	{
		name: "column added, Go default for a time", change: []string{"    note text,", "    note text,\n    seen timestamptz NOT NULL,"},
		tables: column("things", dbtx.Column{Name: "seen", Type: "timestamptz", NotNull: true, By: dbtx.Now}),
		naive:  "ALTER TABLE things ADD COLUMN seen timestamptz NOT NULL DEFAULT clock_timestamp()",
		scans:  true,
	},
	{
		name: "column added, derived", change: []string{"    note text,", "    note text,\n    code_key text NOT NULL,"},
		tables: column("things", dbtx.Column{Name: "code_key", Type: "text", NotNull: true, By: dbtx.Derived, Func: "upper", From: []string{"code"}}),
		derive: map[string]dbtx.Derivation{"upper": dbtx.Derive(func(s string) (string, error) { return strings.ToUpper(s), nil })},
		naive:  "ALTER TABLE things ADD COLUMN code_key text; UPDATE things SET code_key = upper(code); ALTER TABLE things ALTER COLUMN code_key SET NOT NULL",
		scans:  true,
	},
	{
		name: "column added, with a volatile default", change: []string{"    note text,", "    note text,\n    key uuid NOT NULL DEFAULT gen_random_uuid(),"},
		naive: "ALTER TABLE things ADD COLUMN key uuid NOT NULL DEFAULT gen_random_uuid()",
		scans: true,
	},
	{
		name: "column dropped", change: []string{"    note text,\n", ""}, opts: loss,
		naive: "ALTER TABLE things DROP COLUMN note",
	},
	{
		name: "column renamed", change: []string{"    note text,", "    remark text,"},
		tables: column("things", dbtx.Column{Name: "remark", Type: "text", Was: "note"}),
		naive:  "ALTER TABLE things RENAME COLUMN note TO remark",
	},
	{
		name: "column swapped", change: []string{"    size integer NOT NULL", "    size smallint NOT NULL", "    rank smallint NOT NULL", "    rank integer NOT NULL"},
		tables: []*dbtx.Table{{Name: "things", Columns: []dbtx.Column{{Name: "size", Was: "rank"}, {Name: "rank", Was: "size"}}}},
		naive:  "ALTER TABLE things RENAME COLUMN size TO other; ALTER TABLE things RENAME COLUMN rank TO size; ALTER TABLE things RENAME COLUMN other TO rank",
	},
	{
		name: "table added", more: `
CREATE TABLE IF NOT EXISTS parts (
    id integer,
    thing_id integer NOT NULL,
    CONSTRAINT parts_pkey PRIMARY KEY (id),
    CONSTRAINT parts_thing_id_fkey FOREIGN KEY (thing_id) REFERENCES things
);`,
		naive: "CREATE TABLE parts (id integer PRIMARY KEY, thing_id integer REFERENCES things)",
	},
	{
		name: "table dropped", old: "CREATE TABLE parts (id integer PRIMARY KEY, thing_id integer REFERENCES things); INSERT INTO parts VALUES (1, 1)", opts: prune,
		naive: "DROP TABLE parts",
	},
	{
		name: "table renamed", change: []string{"TABLE IF NOT EXISTS owners", "TABLE IF NOT EXISTS holders", "owners_pkey", "holders_pkey"},
		tables: []*dbtx.Table{{Name: "holders", Was: "owners"}},
		write:  []string{"UPDATE owners SET name = 'other' WHERE id = 1 + %d %% 1000"}, read: []string{"SELECT name FROM owners WHERE id = 1 + %d %% 1000"}, open: "LOCK TABLE owners IN ROW EXCLUSIVE MODE",
		naive: "ALTER TABLE owners RENAME TO holders",
	},
	{
		name: "type widened", change: []string{"varchar(40)", "varchar(80)", "numeric(8, 2)", "numeric(12, 2)"},
		naive: "ALTER TABLE things ALTER COLUMN label TYPE varchar(80), ALTER COLUMN price TYPE numeric(12, 2)",
	},
	{
		name: "type widened, with a check and an expression index", change: []string{
			"varchar(40)", "varchar(80)", last, last[:len(last)-1] + ",\n    CONSTRAINT things_label_check CHECK (label <> '')\n",
		},
		more: "CREATE INDEX IF NOT EXISTS things_label_idx ON things (lower(label));",
		old: `ALTER TABLE things ADD CONSTRAINT things_label_check CHECK (label <> '');
CREATE INDEX things_label_idx ON things (lower(label))`,
		opts:  rewrite,
		naive: "ALTER TABLE things ALTER COLUMN label TYPE varchar(80)",
		scans: true,
	},
	{
		name: "type widened with a rewrite", change: []string{"rank smallint", "rank integer"}, opts: rewrite,
		naive: "ALTER TABLE things ALTER COLUMN rank TYPE integer",
		scans: true,
	},
	{
		name: "identity to bigint with its foreign key", change: []string{
			"id integer GENERATED", "id bigint GENERATED", "owner_id integer NOT NULL", "owner_id bigint NOT NULL",
			last, last[:len(last)-1] + ",\n    CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners\n",
		},
		old:   "ALTER TABLE things ADD CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners",
		opts:  rewrite,
		naive: "ALTER TABLE things ALTER COLUMN id TYPE bigint, ALTER COLUMN owner_id TYPE bigint",
		scans: true,
	},
	{
		name: "text to enum", change: []string{"mood text", "mood feeling", "CREATE TABLE IF NOT EXISTS owners", "CREATE TYPE feeling AS ENUM ('sad', 'calm', 'glad');\nCREATE TABLE IF NOT EXISTS owners"},
		opts:  rewrite,
		naive: "CREATE TYPE feeling AS ENUM ('sad', 'calm', 'glad'); ALTER TABLE things ALTER COLUMN mood TYPE feeling USING mood::feeling",
		scans: true,
	},
	{
		name: "text to uuid", change: []string{"token text", "token uuid"}, opts: rewrite,
		naive: "ALTER TABLE things ALTER COLUMN token TYPE uuid USING token::uuid",
		scans: true,
	},
	{
		name: "collation changed", change: []string{"code text NOT NULL", `code text COLLATE "C" NOT NULL`}, old: "CREATE INDEX things_code_idx ON things (code)",
		more:  "CREATE INDEX IF NOT EXISTS things_code_idx ON things (code);",
		opts:  rewrite,
		naive: `ALTER TABLE things ALTER COLUMN code TYPE text COLLATE "C"`,
		scans: true,
	},
	{
		name: "collation changed, without an index", change: []string{"code text NOT NULL", `code text COLLATE "C" NOT NULL`},
		naive: `ALTER TABLE things ALTER COLUMN code TYPE text COLLATE "C"`,
	},
	{
		name: "NOT NULL set", change: []string{"email text", "email text NOT NULL"},
		dirty: "UPDATE things SET email = NULL WHERE id IN (3, 4)", clean: "UPDATE things SET email = 'x' WHERE id IN (3, 4)",
		naive: "ALTER TABLE things ALTER COLUMN email SET NOT NULL",
		scans: true,
	},
	{
		name: "NOT NULL dropped", change: []string{"label varchar(40) NOT NULL", "label varchar(40)"},
		naive: "ALTER TABLE things ALTER COLUMN label DROP NOT NULL",
	},
	{
		name: "default set", change: []string{"size integer NOT NULL", "size integer NOT NULL DEFAULT 7"},
		naive: "ALTER TABLE things ALTER COLUMN size SET DEFAULT 7",
	},
	{
		name: "default changed", change: []string{"size integer NOT NULL", "size integer NOT NULL DEFAULT 8"}, old: "ALTER TABLE things ALTER COLUMN size SET DEFAULT 7",
		naive: "ALTER TABLE things ALTER COLUMN size SET DEFAULT 8",
	},
	{
		name: "default dropped", old: "ALTER TABLE things ALTER COLUMN size SET DEFAULT 7",
		naive: "ALTER TABLE things ALTER COLUMN size DROP DEFAULT",
	},
	{
		name: "identity added", change: []string{"size integer NOT NULL", "size integer GENERATED BY DEFAULT AS IDENTITY"}, opts: rewrite,
		naive: "ALTER TABLE things ALTER COLUMN size ADD GENERATED BY DEFAULT AS IDENTITY; SELECT setval(pg_get_serial_sequence('things', 'size'), max(size)) FROM things",
	},
	{
		name: "identity added to a key", old: "ALTER TABLE things ALTER COLUMN id DROP IDENTITY",
		write: writes[:1],
		naive: "ALTER TABLE things ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY",
	},
	{
		name: "identity dropped", change: []string{"    id integer GENERATED BY DEFAULT AS IDENTITY,\n    owner_id", "    id integer NOT NULL,\n    owner_id"},
		naive: "ALTER TABLE things ALTER COLUMN id DROP IDENTITY",
	},
	{
		name: "serial to identity", old: `ALTER TABLE things ALTER COLUMN id DROP IDENTITY; CREATE SEQUENCE things_id_seq AS integer OWNED BY things.id;
SELECT setval('things_id_seq', max(id)) FROM things; ALTER TABLE things ALTER COLUMN id SET DEFAULT nextval('things_id_seq')`,
		naive: "ALTER TABLE things ALTER COLUMN id DROP DEFAULT; ALTER TABLE things ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME things_id_seq2)",
	},
	{
		name: "generated column added", change: []string{"    note text,", "    note text,\n    double integer GENERATED ALWAYS AS (size * 2) STORED,"}, opts: rewrite,
		naive: "ALTER TABLE things ADD COLUMN double integer GENERATED ALWAYS AS (size * 2) STORED",
		scans: true,
	},
	{
		name: "generated column changed", change: []string{"    note text,", "    note text,\n    double integer GENERATED ALWAYS AS (size * 2) STORED,"},
		old:   "ALTER TABLE things ADD COLUMN double integer GENERATED ALWAYS AS (size + size) STORED",
		opts:  rewrite,
		naive: "ALTER TABLE things DROP COLUMN double, ADD COLUMN double integer GENERATED ALWAYS AS (size * 2) STORED",
		scans: true,
	},
	{
		name: "unique added", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_code_key UNIQUE (code)\n"},
		dirty: "UPDATE things SET code = 'twice' WHERE id IN (3, 4)", clean: "UPDATE things SET code = id::text WHERE id IN (3, 4)",
		naive: "ALTER TABLE things ADD CONSTRAINT things_code_key UNIQUE (code)",
		scans: true,
	},
	{
		name: "primary key added", old: "CREATE INDEX things_id_idx ON things (id); ALTER TABLE things DROP CONSTRAINT things_pkey", more: "CREATE INDEX IF NOT EXISTS things_id_idx ON things (id);",
		dirty: "UPDATE things SET id = 3 WHERE id = 4", clean: "UPDATE things SET id = 4 WHERE code = 'code 4'",
		naive: "ALTER TABLE things ADD CONSTRAINT things_pkey PRIMARY KEY (id)",
		scans: true,
	},
	{
		name: "primary key added, with NULLs", change: []string{last, "    CONSTRAINT things_pkey PRIMARY KEY (email)\n", "email text", "email text NOT NULL"},
		old: "CREATE INDEX things_id_idx ON things (id); ALTER TABLE things DROP CONSTRAINT things_pkey", more: "CREATE INDEX IF NOT EXISTS things_id_idx ON things (id);",
		dirty: "UPDATE things SET email = NULL WHERE id IN (3, 4)", clean: "UPDATE things SET email = id::text WHERE id IN (3, 4)",
		naive: "ALTER TABLE things ADD CONSTRAINT things_pkey PRIMARY KEY (email)",
		scans: true,
	},
	{
		name: "NULLS NOT DISTINCT added", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_email_key UNIQUE NULLS NOT DISTINCT (email)\n"}, since: 15,
		dirty: "UPDATE things SET email = NULL WHERE id IN (3, 4)", clean: "UPDATE things SET email = id::text WHERE id IN (3, 4)",
		naive: "ALTER TABLE things ADD CONSTRAINT things_email_key UNIQUE NULLS NOT DISTINCT (email)",
		scans: true,
	},
	{
		name: "unique with INCLUDE added", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_code_key UNIQUE (code) INCLUDE (size)\n"},
		dirty: "UPDATE things SET code = 'twice' WHERE id IN (3, 4)", clean: "UPDATE things SET code = id::text WHERE id IN (3, 4)",
		naive: "ALTER TABLE things ADD CONSTRAINT things_code_key UNIQUE (code) INCLUDE (size)",
		scans: true,
	},
	{
		name: "check added", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_size_check CHECK (size >= 0)\n"},
		dirty: "UPDATE things SET size = -5 WHERE id IN (3, 4)", clean: "UPDATE things SET size = 5 WHERE id IN (3, 4)",
		naive: "ALTER TABLE things ADD CONSTRAINT things_size_check CHECK (size >= 0)",
		scans: true,
	},
	{
		name: "check changed", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_size_check CHECK (size >= 0)\n"},
		old:   "ALTER TABLE things ADD CONSTRAINT things_size_check CHECK (size >= -9)",
		dirty: "UPDATE things SET size = -5 WHERE id IN (3, 4)", clean: "UPDATE things SET size = 5 WHERE id IN (3, 4)",
		naive: "ALTER TABLE things DROP CONSTRAINT things_size_check, ADD CONSTRAINT things_size_check CHECK (size >= 0)",
		scans: true,
	},
	{
		name: "foreign key added", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners\n"},
		dirty: "UPDATE things SET owner_id = 0 WHERE id IN (3, 4)", clean: "UPDATE things SET owner_id = 5 WHERE id IN (3, 4)",
		naive: "ALTER TABLE things ADD CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners",
		scans: true,
	},
	{
		name: "foreign key's action changed", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners ON DELETE CASCADE\n"},
		old:   "ALTER TABLE things ADD CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners",
		naive: "ALTER TABLE things DROP CONSTRAINT things_owner_id_fkey, ADD CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners ON DELETE CASCADE",
		scans: true,
	},
	{
		name: "foreign key made deferrable", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners DEFERRABLE INITIALLY DEFERRED\n"},
		old:   "ALTER TABLE things ADD CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners",
		naive: "ALTER TABLE things DROP CONSTRAINT things_owner_id_fkey, ADD CONSTRAINT things_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners DEFERRABLE INITIALLY DEFERRED",
		scans: true,
	},
	{
		name: "unique made deferrable", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_code_key UNIQUE (code) DEFERRABLE\n"},
		old:   "ALTER TABLE things ADD CONSTRAINT things_code_key UNIQUE (code)",
		naive: "ALTER TABLE things DROP CONSTRAINT things_code_key, ADD CONSTRAINT things_code_key UNIQUE (code) DEFERRABLE",
		scans: true,
	},
	{
		name: "exclusion added", change: []string{last, last[:len(last)-1] + ",\n    CONSTRAINT things_code_excl EXCLUDE USING btree (code WITH =)\n"},
		opts:  rewrite,
		dirty: "UPDATE things SET code = 'twice' WHERE id IN (3, 4)", clean: "UPDATE things SET code = id::text WHERE id IN (3, 4)",
		naive: "ALTER TABLE things ADD CONSTRAINT things_code_excl EXCLUDE USING btree (code WITH =)",
		scans: true,
	},
	{
		name: "index added", more: "CREATE INDEX IF NOT EXISTS things_code_idx ON things (code);",
		naive: "CREATE INDEX things_code_idx ON things (code)",
		scans: true,
	},
	{
		name: "unique index added", more: "CREATE UNIQUE INDEX IF NOT EXISTS things_code_idx ON things (code);",
		dirty: "UPDATE things SET code = 'twice' WHERE id IN (3, 4)", clean: "UPDATE things SET code = id::text WHERE id IN (3, 4)",
		naive: "CREATE UNIQUE INDEX things_code_idx ON things (code)",
		scans: true,
	},
	{
		name: "index changed", more: "CREATE INDEX IF NOT EXISTS things_code_idx ON things (code, size);", old: "CREATE INDEX things_code_idx ON things (code)",
		naive: "DROP INDEX things_code_idx; CREATE INDEX things_code_idx ON things (code, size)",
		scans: true,
	},
	{
		name: "partial index added", more: "CREATE INDEX IF NOT EXISTS things_code_idx ON things (code) WHERE size > 50;",
		naive: "CREATE INDEX things_code_idx ON things (code) WHERE size > 50",
		scans: true,
	},
	{
		name: "expression index added", more: "CREATE INDEX IF NOT EXISTS things_code_idx ON things (lower(code));",
		naive: "CREATE INDEX things_code_idx ON things (lower(code))",
		scans: true,
	},
	{
		name: "index left INVALID", more: "CREATE UNIQUE INDEX IF NOT EXISTS things_code_idx ON things (code);",
		old:   "CREATE UNIQUE INDEX things_code_idx ON things (code); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'things_code_idx'::regclass",
		naive: "DROP INDEX things_code_idx; CREATE UNIQUE INDEX things_code_idx ON things (code)",
		scans: true,
	},
	{
		name: "enum label added in the middle", change: enumerated("'sad', 'calm', 'merry', 'glad'"),
		old:   "CREATE TYPE feeling AS ENUM ('sad', 'calm', 'glad'); ALTER TABLE things ALTER COLUMN mood TYPE feeling USING mood::feeling",
		naive: "ALTER TYPE feeling ADD VALUE 'merry' AFTER 'calm'",
		free:  true,
	},
	{
		name: "enum label removed", change: enumerated("'sad', 'glad'"),
		old:     "CREATE TYPE feeling AS ENUM ('sad', 'calm', 'glad'); ALTER TABLE things ALTER COLUMN mood TYPE feeling USING mood::feeling",
		refused: true,
	},
	{
		name: "domain changed", change: []string{"size integer", "size amount", "CREATE TABLE IF NOT EXISTS owners", "CREATE DOMAIN amount AS integer CONSTRAINT amount_check CHECK (VALUE >= 0);\nCREATE TABLE IF NOT EXISTS owners"},
		old:   "CREATE DOMAIN amount AS integer CONSTRAINT amount_check CHECK (VALUE >= -9); ALTER TABLE things ALTER COLUMN size TYPE amount",
		opts:  rewrite,
		naive: "ALTER DOMAIN amount DROP CONSTRAINT amount_check; ALTER DOMAIN amount ADD CONSTRAINT amount_check CHECK (VALUE >= 0)",
		scans: true,
	},
	{
		name: "view over a changed column", change: []string{"rank smallint", "rank integer"},
		more:  "CREATE OR REPLACE VIEW ranks AS SELECT id, rank FROM things;",
		old:   "CREATE VIEW ranks AS SELECT id, rank FROM things",
		read:  append([]string{"SELECT rank FROM ranks WHERE id = %d"}, reads...),
		opts:  rewrite,
		naive: "DROP VIEW ranks; ALTER TABLE things ALTER COLUMN rank TYPE integer; CREATE VIEW ranks AS SELECT id, rank FROM things",
		scans: true,
	},
	{
		name: "view changed", more: "CREATE OR REPLACE VIEW ranks AS SELECT id, rank, size FROM things;",
		old:  "CREATE VIEW ranks AS SELECT id, rank FROM things",
		read: append([]string{"SELECT rank FROM ranks WHERE id = %d"}, reads...), open: "SELECT FROM ranks LIMIT 1",
		naive: "DROP VIEW ranks; CREATE VIEW ranks AS SELECT id, rank, size FROM things",
	},
	{
		name: "materialized view changed", more: "CREATE MATERIALIZED VIEW IF NOT EXISTS sizes AS SELECT size, count(*) AS n, max(rank) AS most FROM things GROUP BY size;",
		old:  "CREATE MATERIALIZED VIEW sizes AS SELECT size, count(*) AS n FROM things GROUP BY size",
		opts: rewrite,
		read: []string{"SELECT n FROM sizes WHERE size = %d"}, open: "SELECT FROM sizes LIMIT 1",
		naive: "DROP MATERIALIZED VIEW sizes; CREATE MATERIALIZED VIEW sizes AS SELECT size, count(*) AS n, max(rank) AS most FROM things GROUP BY size",
	},
	{
		name: "function of a check and an index changed", change: []string{
			"CREATE TABLE IF NOT EXISTS owners", "CREATE OR REPLACE FUNCTION plain(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(trim(t)) $$;\nCREATE TABLE IF NOT EXISTS owners",
			last, last[:len(last)-1] + ",\n    CONSTRAINT things_code_check CHECK (plain(code) <> '')\n",
		},
		more: "CREATE INDEX IF NOT EXISTS things_code_idx ON things (plain(code));",
		old: `CREATE FUNCTION plain(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(t) $$;
ALTER TABLE things ADD CONSTRAINT things_code_check CHECK (plain(code) <> ''); CREATE INDEX things_code_idx ON things (plain(code))`,
		free: true,
	},
	{
		name: "trigger added", more: `
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.made := now(); RETURN NEW; END $$;
CREATE TRIGGER things_touch BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touch();`,
		naive: `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.made := now(); RETURN NEW; END $$;
CREATE TRIGGER things_touch BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touch()`,
	},
	{
		name: "partition added", old: parted, more: partedSchema + "CREATE TABLE IF NOT EXISTS logs_3 PARTITION OF logs FOR VALUES FROM (3000000) TO (4000000);",
		write: partedWrites, read: partedReads, open: "LOCK TABLE logs IN ROW EXCLUSIVE MODE",
		naive: "CREATE TABLE logs_3 PARTITION OF logs FOR VALUES FROM (3000000) TO (4000000)",
	},
	{
		name: "index of a partitioned table", old: parted, more: partedSchema + "CREATE INDEX IF NOT EXISTS logs_text_idx ON logs (text);",
		write: partedWrites, read: partedReads, open: "LOCK TABLE logs IN ROW EXCLUSIVE MODE",
		naive: "CREATE INDEX logs_text_idx ON logs (text)",
		scans: true,
	},
	{
		name: "unique of a partitioned table", old: parted, more: strings.Replace(partedSchema, "text text NOT NULL", "text text NOT NULL,\n    CONSTRAINT logs_key UNIQUE (id, text)", 1),
		write: partedWrites, read: partedReads, open: "LOCK TABLE logs IN ROW EXCLUSIVE MODE", opts: rewrite,
		naive: "ALTER TABLE logs ADD CONSTRAINT logs_key UNIQUE (id, text)",
		scans: true,
	},
	{
		name: "foreign key of a partitioned table", old: parted, more: strings.Replace(partedSchema, "text text NOT NULL", "text text NOT NULL,\n    CONSTRAINT logs_id_fkey FOREIGN KEY (owner_id) REFERENCES owners", 1),
		write: partedWrites, read: partedReads, open: "LOCK TABLE logs IN ROW EXCLUSIVE MODE", opts: rewrite,
		naive: "ALTER TABLE logs ADD CONSTRAINT logs_id_fkey FOREIGN KEY (owner_id) REFERENCES owners",
		scans: true,
	},
	{
		name: "NOT NULL of a partitioned table", old: parted, more: strings.Replace(partedSchema, "owner_id integer", "owner_id integer NOT NULL", 1),
		write: partedWrites, read: partedReads, open: "LOCK TABLE logs IN ROW EXCLUSIVE MODE",
		naive: "ALTER TABLE logs ALTER COLUMN owner_id SET NOT NULL",
		scans: true,
	},
	{
		name: "index dropped", old: "CREATE INDEX things_note_idx ON things (note)", free: true,
	},
	{
		name: "storage parameter", more: "ALTER TABLE things SET (fillfactor = 80, autovacuum_enabled = false), ALTER COLUMN code SET STATISTICS 500;", free: true,
	},
	{
		name: "comment", more: "COMMENT ON COLUMN things.code IS 'what is on the box';", free: true,
	},
}

// enumerated is the change that gives things an enum of these labels.
func enumerated(labels string) []string {
	const first = "CREATE TABLE IF NOT EXISTS owners"

	return []string{"mood text", "mood feeling", first, "CREATE TYPE feeling AS ENUM (" + labels + ");\n" + first}
}

const partedSchema = `
CREATE TABLE IF NOT EXISTS logs (
    id integer NOT NULL,
    owner_id integer,
    text text NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX IF NOT EXISTS logs_id_idx ON logs (id);
CREATE TABLE IF NOT EXISTS logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (1000000);
CREATE TABLE IF NOT EXISTS logs_2 PARTITION OF logs FOR VALUES FROM (1000000) TO (3000000);
`

const parted = partedSchema + `
INSERT INTO logs SELECT id, owner_id, code FROM things;
INSERT INTO logs SELECT 1000000 + id, owner_id, code FROM things;
`

var (
	partedWrites = []string{
		"UPDATE logs SET text = gen_random_uuid()::text WHERE id = %d", "INSERT INTO logs VALUES (2000000 + %d, 5, gen_random_uuid()::text)",
	}
	partedReads = []string{"SELECT text FROM logs WHERE id = %d"}
)

// What reads a large table, or writes it anew, under a lock that keeps others out is refused. The controls read nothing.
func TestPlanOf_RefusesWhatReadsALargeTable(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	db := connect(t, shared(20_000).url(t))
	kinds := map[string]bool{
		"type widened": false, "type widened, with a check and an expression index": true,
		"collation changed": true, "collation changed, without an index": false,
		"identity added": true, "identity added to a key": false,
		"exclusion added": true, "domain changed": true, "text to enum": true, "materialized view changed": true,
		"foreign key added": false, "unique added": false, "NOT NULL set": false,
	}
	for _, name := range dbtest.Sample(4, slices.Sorted(maps.Keys(kinds))...) {
		refused := kinds[name]
		k := chosen([]string{name})[0]
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		run(t, tx, k.old)
		plan, err := schema.PlanOf(t.Context(), tx, k.metadata(t), schema.MigrateOptions{})
		require.NoError(t, err, name)
		require.Equal(t, refused, len(plan.Refusals) > 0, "%s: %v", name, plan.Refusals)
		if refused {
			require.Contains(t, plan.Refusals[0], "--allow-rewrite", name)
		}
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

// Expand does what programs of the old version do not feel, and leaves the rest.
func TestPlanOf_ExpandLeavesWhatBreaksOldPrograms(t *testing.T) {
	t.Parallel()
	db := connect(t, shared(20_000).url(t))
	kinds := map[string]bool{
		"column added": false, "column dropped": true, "column renamed": true, "table added": false, "NOT NULL set": true, "index added": false,
		"index dropped": true, "enum label added in the middle": false, "storage parameter": false, "comment": false, "foreign key added": true,
		"unique added": true, "type widened": true, "default set": false, "default dropped": true, "view changed": false,
	}
	for _, name := range dbtest.Sample(3, slices.Sorted(maps.Keys(kinds))...) {
		left := kinds[name]
		list := chosen([]string{name})
		require.Len(t, list, 1, name)
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		run(t, tx, list[0].old)
		opts := list[0].opts
		opts.Expand = true
		plan, err := schema.PlanOf(t.Context(), tx, list[0].metadata(t), opts)
		require.NoError(t, err, name)
		require.Equal(t, left, len(plan.Later) > 0, "%s: %v %v", name, plan.Steps, plan.Later)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}
