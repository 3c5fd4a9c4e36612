package schema

// Tamper puts a mistake into what the options lead to: fn changes the steps of each plan.
func Tamper(opts *MigrateOptions, fn func([]Step) []Step) { opts.tamper = fn }
