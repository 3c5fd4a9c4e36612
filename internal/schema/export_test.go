package schema

var (
	// BootstrapFiles is Bootstrap with other files than those of db/schema.
	BootstrapFiles = bootstrap
	// CheckFiles is Check with other files than those of db/schema.
	CheckFiles = check
	// Creations is what Bootstrap takes the files to create.
	Creations = creations
	// AccessOf reads what a query does.
	AccessOf = accessOf
	// Known returns what is known of a generated query.
	Known = known
	// TablesOf returns the tables that files create.
	TablesOf = tablesOf
)

// GrantsFor is Grants for other files and queries than those of db.
func GrantsFor(role, schema string, files []File, queries []string) []string {
	tables := tablesOf(files)
	did := make([]Access, len(queries))
	for i, query := range queries {
		did[i] = accessOf(query, tables)
	}

	return grantsOf(role, schema, tables, did)
}

// LockKey is the advisory lock that Bootstrap takes.
const LockKey = lockKey

// Split is what Bootstrap sends of a file, one by one.
var Split = split
