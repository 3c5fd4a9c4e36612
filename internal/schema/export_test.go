package schema

var (
	// BootstrapFiles is Bootstrap with other files than those of db/schema.
	BootstrapFiles = bootstrap
	// CheckFiles is Check with other files than those of db/schema.
	CheckFiles = check
	// Creations is what Bootstrap takes the files to create.
	Creations = creations
	// GrantsFor is Grants for other tables and queries than those of db.
	GrantsFor = grants
)

// LockKey is the advisory lock that Bootstrap takes.
const LockKey = lockKey

// Split is what Bootstrap sends of a file, one by one.
var Split = split
