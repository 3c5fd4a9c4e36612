package settings

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrUntrusted is what every *UntrustedError is.
var ErrUntrusted = errors.New("another role's functions may run in place of PostgreSQL's own")

// UntrustedError is a session of a superuser that was refused, because a role which can log in could run anything with
// the superuser's rights: it may make functions and operators in a schema of the search_path, or has made some there that
// have the name of one of PostgreSQL's own. No query was sent. It is ErrUntrusted.
type UntrustedError struct {
	Dangers []Danger
}

func (e *UntrustedError) Error() string {
	return "refused for a superuser: " + join(e.Dangers)
}

// Is reports whether target is ErrUntrusted.
func (*UntrustedError) Is(target error) bool { return target == ErrUntrusted }

// Danger is one way in which another role can have its code run by this session, or in which a setting has the server
// lose what it should keep.
type Danger struct {
	Problem string // what is wrong, in words
	Remedy  string // the statement that mends it
}

func (d Danger) String() string { return d.Problem + ": " + d.Remedy }

func join(dangers []Danger) string {
	texts := make([]string, len(dangers))
	for i, d := range dangers {
		texts[i] = d.String()
	}

	return strings.Join(texts, " and ")
}

// Path is the search_path of a session, and what of it is dangerous.
type Path struct {
	Setting   string   // as it was set
	Schemas   []string // those that exist and that the role may use, less the session's own for temporary tables
	Superuser bool
	Role      string   // session_replication_role; empty where the engine has none
	Dangers   []Danger // of other roles
	Weak      []Danger // settings that lose rows or commits silently
}

// Refuse returns a *SettingError when the session does not enforce foreign keys, and an *UntrustedError when it is a
// superuser's and the path is dangerous.
func (p Path) Refuse() error {
	if err := CheckRole(p.Role); err != nil {
		return err
	}
	if !p.Superuser || len(p.Dangers) == 0 {
		return nil
	}

	return &UntrustedError{p.Dangers}
}

// Warnings says what is dangerous, one text for each danger. It leaves out what Refuse refuses.
func (p Path) Warnings() []string {
	dangers := p.Weak
	if !p.Superuser {
		dangers = slices.Concat(p.Dangers, p.Weak)
	}
	texts := slices.Grow([]string(nil), len(dangers))
	for _, d := range dangers {
		texts = append(texts, d.String())
	}

	return texts
}

// Checked returns the Warnings, and ErrSettings when the session does not enforce foreign keys.
func (p Path) Checked() ([]string, error) {
	if err := CheckRole(p.Role); err != nil {
		return nil, err
	}

	return p.Warnings(), nil
}

// lookSQL runs when nothing is known about the search_path yet, so every name in it is qualified, operators included.
//
// A schema's owner may always create in it. That endangers a superuser. Other sessions use the owner's tables, and so
// trust the owner anyway. Roles that are, or can become, superusers endanger nobody.
//
// What has an OID under 16384 is of initdb, and a superuser's (PostgreSQL, "OID Assignment"). To leave it out lets the
// server use an index, where it would read the catalogue from end to end.
//
// Some settings have the server lose rows or commits, and say nothing. zero_damaged_pages and ignore_checksum_failure are
// for the repair of a damaged database. synchronous_commit is the user's choice: it is named where a role, a database or
// the session turns it off, and not where the server's own configuration does, which its administrator wrote for all.
// row_security is not here: with "off" a query fails instead of leaving rows out.
const lookSQL = `
WITH path AS (
    SELECT s.n, n.oid, n.nspname, n.nspowner, n.nspacl
    FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS s (name, n)
    JOIN pg_catalog.pg_namespace AS n ON n.nspname OPERATOR(pg_catalog.=) s.name
    WHERE n.oid OPERATOR(pg_catalog.<>) pg_catalog.pg_my_temp_schema()
), place AS (
    SELECT path.n, path.oid, path.nspname, path.nspowner, path.nspacl
    FROM path
    WHERE path.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'
), me AS (
    SELECT pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' AS superuser
), other AS (
    SELECT r.oid, r.rolname, r.rolcanlogin
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname OPERATOR(pg_catalog.<>) current_user AND r.rolname OPERATOR(pg_catalog.<>) session_user
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_roles AS s
            WHERE s.rolsuper AND pg_catalog.pg_has_role(r.oid, s.oid, 'MEMBER')
        )
), maker AS (
    SELECT p.n, p.nspname, g.grantee, g.owner, pg_catalog.min(o.rolname::pg_catalog.text) AS who
    FROM place AS p
    CROSS JOIN me
    CROSS JOIN LATERAL (
        SELECT a.grantee, false
        FROM pg_catalog.aclexplode(p.nspacl) AS a
        WHERE a.privilege_type OPERATOR(pg_catalog.=) 'CREATE' AND a.grantee OPERATOR(pg_catalog.<>) p.nspowner
        UNION
        SELECT p.nspowner, true WHERE me.superuser
    ) AS g (grantee, owner)
    JOIN other AS o ON o.rolcanlogin AND (
        g.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR CASE
            WHEN g.grantee OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
            THEN pg_catalog.pg_has_role(o.oid, g.grantee, 'MEMBER')
        END
    )
    WHERE me.superuser OR o.oid OPERATOR(pg_catalog.<>) p.nspowner
    GROUP BY p.n, p.nspname, g.grantee, g.owner
), made AS (
    SELECT p.n, 'a function' AS kind, f.proowner AS owner, pg_catalog.format('ROUTINE %I.%I(%s)',
        p.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)) AS name
    FROM place AS p
    JOIN pg_catalog.pg_proc AS f ON f.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND f.pronamespace OPERATOR(pg_catalog.=) p.oid
    WHERE EXISTS (
        SELECT FROM pg_catalog.pg_proc AS own
        WHERE own.proname OPERATOR(pg_catalog.=) f.proname
            AND own.pronamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid
    )
    UNION ALL
    SELECT p.n, 'an operator', o.oprowner, pg_catalog.format('OPERATOR %I.%s(%s, %s)', p.nspname, o.oprname,
        CASE WHEN o.oprleft OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'NONE'
            ELSE pg_catalog.format_type(o.oprleft, NULL) END,
        CASE WHEN o.oprright OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'NONE'
            ELSE pg_catalog.format_type(o.oprright, NULL) END)
    FROM place AS p
    JOIN pg_catalog.pg_operator AS o ON o.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND o.oprnamespace OPERATOR(pg_catalog.=) p.oid
    WHERE EXISTS (
        SELECT FROM pg_catalog.pg_operator AS own
        WHERE own.oprname OPERATOR(pg_catalog.=) o.oprname
            AND own.oprnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid
    )
    UNION ALL
    SELECT p.n, 'a type', t.typowner, pg_catalog.format('TYPE %I.%I', p.nspname, t.typname)
    FROM place AS p
    JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND t.typnamespace OPERATOR(pg_catalog.=) p.oid
    WHERE t.typelem OPERATOR(pg_catalog.=) 0::pg_catalog.oid -- an array goes with its element
        AND EXISTS (
        SELECT FROM pg_catalog.pg_type AS own
        WHERE own.typname OPERATOR(pg_catalog.=) t.typname
            AND own.typnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid
    )
), danger AS (
    SELECT 1 AS rank, m.n, m.who, pg_catalog.format(
        'role %I can make functions in schema %I of the search_path, which run with your rights',
        m.who, m.nspname) AS problem,
        CASE
            WHEN m.owner THEN pg_catalog.format('ALTER SCHEMA %I OWNER TO CURRENT_USER;', m.nspname)
            WHEN m.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid
            THEN pg_catalog.format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC;', m.nspname)
            ELSE pg_catalog.format('REVOKE CREATE ON SCHEMA %I FROM %I;', m.nspname, pg_catalog.pg_get_userbyid(m.grantee))
        END AS remedy
    FROM maker AS m
    UNION ALL
    SELECT 2, made.n, made.name, pg_catalog.format(
        'role %I has made %s with the name of one of PostgreSQL''s own, which may run in its place',
        o.rolname, made.kind), pg_catalog.format('DROP %s;', made.name)
    FROM made
    CROSS JOIN me
    JOIN place AS p ON p.n OPERATOR(pg_catalog.=) made.n
    JOIN other AS o ON o.oid OPERATOR(pg_catalog.=) made.owner
    WHERE me.superuser OR o.oid OPERATOR(pg_catalog.<>) p.nspowner
), weak AS (
    SELECT s.name, pg_catalog.format('%s is %s: %s', s.name, s.setting, w.harm) AS problem, CASE s.source
        WHEN 'database' THEN pg_catalog.format('ALTER DATABASE %I RESET %s;', pg_catalog.current_database(), s.name)
        WHEN 'user' THEN pg_catalog.format('ALTER ROLE %I RESET %s;', session_user, s.name)
        WHEN 'database user' THEN pg_catalog.format('ALTER ROLE %I IN DATABASE %I RESET %s;', session_user,
            pg_catalog.current_database(), s.name)
        WHEN 'global' THEN pg_catalog.format('ALTER ROLE ALL RESET %s;', s.name)
        WHEN 'client' THEN 'take it out of the URL or PGOPTIONS'
        WHEN 'session' THEN pg_catalog.format('RESET %s;', s.name)
        ELSE 'set it in the configuration of the server'
    END AS remedy
    FROM pg_catalog.pg_settings AS s
    JOIN (VALUES
        ('ignore_checksum_failure', 'on', true, 'the server reads damaged pages as if they were good'),
        ('synchronous_commit', 'off', false, 'a crash of the server loses the last moments, and what was reported as kept'),
        ('zero_damaged_pages', 'on', true, 'the server empties damaged pages, and the rows on them are lost')
    ) AS w (name, setting, anywhere, harm)
        ON s.name OPERATOR(pg_catalog.=) w.name AND s.setting OPERATOR(pg_catalog.=) w.setting
    WHERE w.anywhere OR s.source OPERATOR(pg_catalog.=) ANY (
        '{database,user,database user,global,client,session}'::pg_catalog.text[])
)
SELECT
    pg_catalog.current_setting('search_path'),
    ARRAY(SELECT path.nspname::pg_catalog.text FROM path ORDER BY path.n),
    me.superuser,
    coalesce(pg_catalog.current_setting('session_replication_role', true), ''),
    ARRAY(SELECT w.problem FROM weak AS w ORDER BY w.name),
    ARRAY(SELECT w.remedy FROM weak AS w ORDER BY w.name),
    ARRAY(SELECT d.problem FROM danger AS d ORDER BY d.rank, d.n, d.who, d.remedy),
    ARRAY(SELECT d.remedy FROM danger AS d ORDER BY d.rank, d.n, d.who, d.remedy)
FROM me`

// Look returns the search_path of a session, and what of it and of its settings is dangerous, in one round trip. It changes nothing, and runs
// nothing that is not PostgreSQL's own, whatever the search_path is.
func Look(ctx context.Context, db Querier) (Path, error) {
	var p Path
	var problems, remedies, harms, cures []string
	err := db.QueryRow(ctx, lookSQL, pgx.QueryExecModeExec).
		Scan(&p.Setting, &p.Schemas, &p.Superuser, &p.Role, &harms, &cures, &problems, &remedies)
	for i := range harms {
		p.Weak = append(p.Weak, Danger{harms[i], cures[i]})
	}
	for i := range problems {
		p.Dangers = append(p.Dangers, Danger{problems[i], remedies[i]})
	}

	return p, err
}
