package repo

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"musicstore/db"

	"github.com/jackc/pgx/v5/pgconn"
)

// Constraint is the sentinel of a constraint or a unique index: its name in the database. Those of a table that has no
// Go have none below, and need none: errors.Is(err, repo.Constraint("playlists_name_key")) holds for them as well.
type Constraint string

// Referenced is the sentinel of a foreign key seen from the other side: the row can't go, another one refers to it.
func (c Constraint) Referenced() Constraint { return c + referenced }

const referenced = " (referenced)"

// Error says what the constraint refuses.
func (c Constraint) Error() string {
	if text, ok := refusals[c]; ok {
		return text
	}

	return "constraint " + string(c)
}

// The sentinels, one a constraint. A not-null constraint has the name that PostgreSQL 18 gives it:
// Constraint("accounts_email_not_null").
const (
	ErrAccountIDTaken        = Constraint("accounts_pkey")
	ErrEmailTaken            = Constraint("accounts_email_key")
	ErrAccountIDInvalid      = Constraint("accounts_id_check")
	ErrEmailInvalid          = Constraint("accounts_email_check")
	ErrEmailKeyInvalid       = Constraint("accounts_email_key_check")
	ErrPasswordHashInvalid   = Constraint("accounts_password_hash_check")
	ErrAccountTimeInvalid    = Constraint("accounts_created_at_check")
	ErrAccountHasPurchases   = Constraint("purchases_account_id_fkey" + referenced)
	ErrAlbumIDTaken          = Constraint("albums_pkey")
	ErrAlbumNameTaken        = Constraint("albums_name_key")
	ErrAlbumURLTaken         = Constraint("albums_url_key")
	ErrAlbumNameInvalid      = Constraint("albums_name_check")
	ErrAlbumURLInvalid       = Constraint("albums_url_check")
	ErrAlbumYearInvalid      = Constraint("albums_year_check")
	ErrAlbumPriceInvalid     = Constraint("albums_price_cents_check")
	ErrAlbumImageURLInvalid  = Constraint("albums_image_url_check")
	ErrAlbumHasPurchases     = Constraint("purchases_album_id_fkey" + referenced)
	ErrTrackIDTaken          = Constraint("tracks_pkey")
	ErrTrackAlbumUnknown     = Constraint("tracks_album_id_fkey")
	ErrTrackPositionTaken    = Constraint("tracks_display_order_key")
	ErrTrackNameInvalid      = Constraint("tracks_name_check")
	ErrTrackLengthInvalid    = Constraint("tracks_length_seconds_check")
	ErrTrackAudioURLInvalid  = Constraint("tracks_audio_url_check")
	ErrTrackVideoURLInvalid  = Constraint("tracks_video_url_check")
	ErrTrackPositionInvalid  = Constraint("tracks_display_order_check")
	ErrPurchaseIDTaken       = Constraint("purchases_pkey")
	ErrPaymentRefTaken       = Constraint("purchases_payment_ref_key")
	ErrBuyerUnknown          = Constraint("purchases_account_id_fkey")
	ErrPurchaseAlbumUnknown  = Constraint("purchases_album_id_fkey")
	ErrPaymentRefInvalid     = Constraint("purchases_payment_ref_check")
	ErrDescriptionInvalid    = Constraint("purchases_description_check")
	ErrAmountPaidInvalid     = Constraint("purchases_amount_paid_cents_check")
	ErrPurchaseTimeInvalid   = Constraint("purchases_created_at_check")
	ErrResetIDTaken          = Constraint("password_resets_pkey")
	ErrResetTokenTaken       = Constraint("password_resets_token_hash_key")
	ErrResetOpen             = Constraint("password_resets_account_id_key")
	ErrResetAccountUnknown   = Constraint("password_resets_account_id_fkey")
	ErrResetIDInvalid        = Constraint("password_resets_id_check")
	ErrResetTokenHashInvalid = Constraint("password_resets_token_hash_check")
	ErrResetTimeInvalid      = Constraint("password_resets_created_at_check")
	ErrResetExpiryInvalid    = Constraint("password_resets_expires_at_check")
	ErrResetUsedAtInvalid    = Constraint("password_resets_used_at_check")
	ErrResetUsedIPInvalid    = Constraint("password_resets_used_ip_check")
)

// refusals has the words for each. A test reads the catalogue and fails when a constraint has none here.
var refusals = map[Constraint]string{ //nolint:gosec // words, no credentials
	ErrAccountIDTaken:        "account id already taken",
	ErrEmailTaken:            "e-mail already taken",
	ErrAccountIDInvalid:      "id must be 32 lower-case hexadecimal characters",
	ErrEmailInvalid:          "email must have 3 to 320 characters",
	ErrEmailKeyInvalid:       "email must have one @ and no spaces",
	ErrPasswordHashInvalid:   "password_hash must be in PHC string format",
	ErrAccountTimeInvalid:    "created_at must be of the years 1 to 9999",
	ErrAccountHasPurchases:   "account has purchases",
	ErrAlbumIDTaken:          "album id already taken",
	ErrAlbumNameTaken:        "album name already taken",
	ErrAlbumURLTaken:         "album url already taken",
	ErrAlbumNameInvalid:      "name must have 1 to 200 characters, and not spaces alone",
	ErrAlbumURLInvalid:       "url must have 1 to 200 of the characters A-Z a-z 0-9 . _ ~ -, and not be . or ..",
	ErrAlbumYearInvalid:      "year must be from 1860 to 2200",
	ErrAlbumPriceInvalid:     "price_cents must be from 0 to 100000000",
	ErrAlbumImageURLInvalid:  "image_url must have 1 to 2000 characters",
	ErrAlbumHasPurchases:     "album has purchases",
	ErrTrackIDTaken:          "track id already taken",
	ErrTrackAlbumUnknown:     "album of the track does not exist",
	ErrTrackPositionTaken:    "album has a track at this display_order already",
	ErrTrackNameInvalid:      "track name must have 1 to 200 characters, and not spaces alone",
	ErrTrackLengthInvalid:    "length_seconds must be from 0 to 86400",
	ErrTrackAudioURLInvalid:  "audio_url must have 1 to 2000 characters",
	ErrTrackVideoURLInvalid:  "video_url must have 1 to 2000 characters",
	ErrTrackPositionInvalid:  "display_order must be from 1 to the number of tracks, which is 999 at most",
	ErrPurchaseIDTaken:       "purchase id already taken",
	ErrPaymentRefTaken:       "payment reference already used for another purchase",
	ErrBuyerUnknown:          "account of the purchase does not exist",
	ErrPurchaseAlbumUnknown:  "album of the purchase does not exist",
	ErrPaymentRefInvalid:     "payment_ref must have 1 to 200 characters, and not spaces alone",
	ErrDescriptionInvalid:    "description must have 1000 characters at most",
	ErrAmountPaidInvalid:     "amount_paid_cents must be from 0 to 100000000",
	ErrPurchaseTimeInvalid:   "created_at must be of the years 1 to 9999",
	ErrResetIDTaken:          "reset id already taken",
	ErrResetTokenTaken:       "reset token already taken",
	ErrResetOpen:             "account has an open reset already",
	ErrResetAccountUnknown:   "account of the reset does not exist",
	ErrResetIDInvalid:        "id must be 32 lower-case hexadecimal characters",
	ErrResetTokenHashInvalid: "token_hash must be a SHA-256",
	ErrResetTimeInvalid:      "created_at must be of the years 1 to 9999",
	ErrResetExpiryInvalid:    "expires_at must be after created_at, and before the year 10000",
	ErrResetUsedAtInvalid:    "used_at must be from created_at until before expires_at",
	ErrResetUsedIPInvalid:    "used_ip must go with used_at",
}

// columnOf returns the column that a constraint is about, from its name: table, column, kind.
func columnOf(table, constraint string) string {
	rest := strings.TrimPrefix(constraint, table+"_")
	if rest == "pkey" {
		return "id"
	}
	if column, ok := strings.CutSuffix(rest, "_not_null"); ok {
		return column
	}
	if i := strings.LastIndexByte(rest, '_'); i > 0 {
		return rest[:i]
	}

	return rest
}

// rule is what is known of a constraint or unique index of the schema, beside its name.
type rule struct {
	kind  error // ErrUnique, ErrForeignKey, ErrCheck, ErrNotNull or ErrExclusion
	table string
}

// schemaNames are the names in db/schema.
type schemaNames struct {
	rules  map[string]rule // by the name of the constraint; a not-null constraint has the name that PostgreSQL 18 gives it
	tables map[string]bool
}

var (
	lineComment = regexp.MustCompile(`--[^\n]*`)
	notColumn   = regexp.MustCompile(`(?i)\n[ \t]+(CONSTRAINT|CHECK|WHERE|EXCLUDE|AND|OR)\b`) // stands where a column would
	schemaWord  = regexp.MustCompile(`(?i)` +
		`\b(?:CREATE|ALTER)\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:\w+\.)?"?(\w+)"?` + // 1: a table
		`|\bCONSTRAINT\s+"?(\w+)"?\s+(PRIMARY|UNIQUE|FOREIGN|REFERENCES|CHECK|EXCLUDE)\b` + // 2, 3: a constraint of it
		`|\bUNIQUE\s+INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?"?(\w+)"?\s+ON\s+(?:\w+\.)?"?(\w+)"?` + // 4, 5: an index and its table
		`|\n[ \t]+"?([a-z_]\w*)"?[ \t]+[^\n]*?\bNOT\s+NULL\b`) // 6: a column of it
)

// knownNames returns the names that the schema's own files give to tables and constraints. It is the one source of what
// is known of them.
var knownNames = sync.OnceValue(func() schemaNames {
	kinds := map[string]error{
		"PRIMARY": ErrUnique, "UNIQUE": ErrUnique, "FOREIGN": ErrForeignKey, "REFERENCES": ErrForeignKey,
		"CHECK": ErrCheck, "EXCLUDE": ErrExclusion,
	}
	known := schemaNames{rules: map[string]rule{}, tables: map[string]bool{}}
	files, _ := fs.Glob(db.Schema, "schema/*.sql")
	for _, file := range files {
		text, _ := db.Schema.ReadFile(file)
		table := ""
		sql := notColumn.ReplaceAllString(lineComment.ReplaceAllString(string(text), ""), "\n$1")
		for _, m := range schemaWord.FindAllStringSubmatch(sql, -1) {
			switch {
			case m[1] != "":
				table = cutName(m[1])
				known.tables[table] = true
			case m[2] != "":
				known.rules[cutName(m[2])] = rule{kinds[strings.ToUpper(m[3])], table}
			case m[4] != "":
				known.rules[cutName(m[4])] = rule{ErrUnique, cutName(m[5])}
			case m[6] != "":
				known.rules[cutName(notNull(table, m[6]))] = rule{ErrNotNull, table}
			}
		}
	}

	return known
})

// notNull is the name that PostgreSQL 18 gives to a not-null constraint.
func notNull(table, column string) string { return table + "_" + column + "_not_null" }

// longestName is how many bytes of a name PostgreSQL keeps.
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
const longestName = 63

func cutName(name string) string { return name[:min(len(name), longestName)] }

// A shard's name is the table's or constraint's own with the shard's number behind it. Citus cuts a name that gets too
// long by that, and puts eight digits of a hash before the number.
var shardSuffix = regexp.MustCompile(`(?:_[0-9a-f]{8})?_\d*$`)

// unsharded returns the known name that name is, or that it is on a shard. A name that is known as it stands is never
// taken for a shard's: a constraint may itself be called albums_key_102008.
func unsharded[V any](known map[string]V, name string) (string, bool) {
	if _, ok := known[name]; ok {
		return name, true
	}
	end := strings.LastIndexByte(name, '_')
	if end < 1 || strings.Trim(name[end+1:], "0123456789") != "" {
		return "", false
	}
	if _, ok := known[name[:end]]; ok {
		return name[:end], true
	}
	if len(name) < longestName-3 { // which a cut leaves, if it falls into a character of four bytes
		return "", false
	}
	found := ""
	begin := shardSuffix.ReplaceAllString(name, "")
	for candidate := range known {
		if len(candidate)+len(name)-end <= longestName || !strings.HasPrefix(candidate, begin) {
			continue // it need not have been cut, or is another
		}
		if found != "" {
			return "", false // two begin alike: which one it is, is not known
		}
		found = candidate
	}

	return found, found != ""
}

// ownRoutines are the places in PostgreSQL that report a violated constraint, with its names from the catalogue. RAISE
// can put any text into the fields of names, but it can't say that it is one of these.
var ownRoutines = map[string]bool{
	"_bt_check_unique": true, "check_exclusion_or_unique_constraint": true,
	"comparetup_index_btree": true, "comparetup_index_btree_tiebreak": true,
	"ri_ReportViolation": true, "ExecConstraints": true, "ReportNotNullViolationError": true, "ExecPartitionCheckEmitError": true,
	"ExecEvalConstraintCheck": true, "ExecEvalConstraintNotNull": true, "domain_check_input": true, "ATRewriteTable": true,
}

// constraintIn returns the constraint that an error of the server is about: its name in the schema and its table, column
// and kind. The kind is nil when the error is about none.
//
// Names are taken from the error's own fields. A field that does not come from PostgreSQL's own check counts only if it
// has a name of the schema, because a function may have put a value of the row there. Where the fields are empty, as
// they are in the error of another server's shard, a name of the schema is looked for in the message.
func constraintIn(pg *pgconn.PgError) (c ConstraintError) {
	known := knownNames()
	c.Kind = kinds[pg.Code]
	if c.Kind == nil && pg.Code != codeInternalError { // as which COPY returns the error of a shard
		return c
	}
	own := ownRoutines[pg.Routine]
	if own {
		c.Table, c.Column, c.Constraint = pg.TableName, pg.ColumnName, pg.ConstraintName
	}
	if table, ok := unsharded(known.tables, pg.TableName); ok {
		c.Table = table
	}
	name, ok := unsharded(known.rules, pg.ConstraintName)
	if !ok && pg.ConstraintName == "" {
		name, ok = ruleIn(known, pg, c.Table)
	}
	if ok {
		of := known.rules[name]
		c.Constraint, c.Table = name, of.table
		if c.Kind == nil {
			c.Kind = of.kind
		}
	}
	if c.Constraint == "" && errors.Is(c.Kind, ErrNotNull) && c.Column != "" {
		c.Constraint = notNull(c.Table, c.Column)
	}
	if c.Column == "" && c.Constraint != "" {
		c.Column = columnOf(c.Table, c.Constraint)
	}

	return c
}

var (
	nameInText = regexp.MustCompile(`[\pL_][\pL\d_$]*`)
	// The quotation marks of PostgreSQL's translations, which may have a space inside.
	quotedName = regexp.MustCompile(`["“”„«»‹›「『][\s\x{a0}\x{202f}]*([\pL_][\pL\d_$]*)[\s\x{a0}\x{202f}]*["“”„«»‹›」』]`)
)

// ruleIn returns the one constraint of the schema that an error without a constraint's name is about. Two are as good as
// none.
func ruleIn(known schemaNames, pg *pgconn.PgError, table string) (name string, ok bool) {
	found := map[string]bool{}
	if pg.Code == codeNotNullViolation || pg.Code == codeInternalError {
		columns, tables := []string{pg.ColumnName}, []string{table}
		for _, m := range quotedName.FindAllStringSubmatch(pg.Message, -1) {
			columns = append(columns, m[1])
			if t, ok := unsharded(known.tables, m[1]); ok {
				tables = append(tables, t)
			}
		}
		for _, t := range tables {
			for _, column := range columns {
				if name := cutName(notNull(t, column)); known.rules[name].kind == ErrNotNull { //nolint:errorlint // it is that
					found[name] = true
				}
			}
		}
	}
	if pg.Code != codeNotNullViolation {
		for _, word := range nameInText.FindAllString(pg.Message, -1) {
			if name, ok := unsharded(known.rules, word); ok {
				found[name] = true
			}
		}
	}
	for name = range found {
		ok = len(found) == 1
	}

	return name, ok
}
