package schema

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// How PostgreSQL stores something: the storage parameters of a table, a materialized view or a key, the statistics and the storage of a
// column, and the like. They are names and values. Names in capitals are clauses of ALTER TABLE. Other names go into SET (…).
// https://www.postgresql.org/docs/current/sql-altertable.html
const (
	replicaIdentity = "REPLICA IDENTITY"
	clusterOn       = "CLUSTER ON"
	statistics      = "STATISTICS"
	storage         = "STORAGE"
	compression     = "COMPRESSION"
)

// compareSettings compares how two objects are stored. An object that does not exist yet has no settings.
func (c *comparison) compareSettings(w, h object) {
	if w.Kind == "column" && w.Def != h.Def && h.Def != "" { // another type has a storage of its own
		w.Settings, h.Settings = without(w.Settings, storage, compression), without(h.Settings, storage, compression)
	}
	if w.Kind == "column" && w.Def == "" { // of a view or a partition
		if parent := c.root(w.Table); parent != w.Table {
			h.Settings = c.inherited(parent, w.Name, h.Settings)
		}
	}
	for _, name := range []string{replicaIdentity, clusterOn} { // an index that is built again is neither
		index := object{Kind: "index", Table: w.Name, Name: strings.Trim(strings.TrimPrefix(w.Settings[name], "USING INDEX "), `"`)}
		want, stays := c.wantPart(index)
		if have, there := c.have.part("index", w.Name, index.Name); c.look && stays && there && have.definition() != want.definition() {
			h.Settings = without(h.Settings, name)
		}
	}
	if maps.Equal(w.Settings, h.Settings) {
		return
	}
	of := w.called()
	of.Kind = "storage of " + of.Kind
	c.addSteps(settingIs, of, printed(w.Settings), printed(h.Settings), c.store(w, h))
}

// inherited returns the settings of a column of a partition, once its parent has its own: PostgreSQL sets these two in both.
func (c *comparison) inherited(parent, column string, settings map[string]string) map[string]string {
	settings = without(settings)
	want, _ := c.want.part("column", parent, column)
	have, _ := c.have.part("column", parent, column)
	for _, name := range []string{statistics, storage} {
		if value := want.Settings[name]; value != "" && value != have.Settings[name] {
			settings[name] = value
		} else if value == "" && have.Settings[name] != "" {
			delete(settings, name)
		}
	}

	return settings
}

// store returns the step that gives h the settings of w.
func (c *comparison) store(w, h object) []Step {
	alter := "ALTER TABLE " + quote(cmp.Or(w.Table, w.Name)) + " "
	switch w.Kind {
	case "column":
		alter += "ALTER COLUMN " + quote(w.Name) + " "
	case "constraint":
		alter = "ALTER INDEX " + quote(w.Name) + " "
	case "materialized view":
		alter = "ALTER MATERIALIZED VIEW " + quote(w.Name) + " "
	}
	var set, reset, clauses []string
	lock := shareUpdateExclusive
	for _, name := range slices.Sorted(maps.Keys(both(w.Settings, h.Settings))) {
		value, is := w.Settings[name]
		if was, there := h.Settings[name]; is == there && value == was {
			continue
		}
		if slices.Contains([]string{replicaIdentity, storage, compression, "user_catalog_table"}, name) {
			lock = accessExclusive
		}
		switch {
		case name == clusterOn && !is:
			clauses = append(clauses, "SET WITHOUT CLUSTER")
		case name == replicaIdentity:
			clauses = append(clauses, name+" "+cmp.Or(value, "DEFAULT"))
		case name == clusterOn:
			clauses = append(clauses, name+" "+value)
		case name == statistics:
			clauses = append(clauses, "SET "+name+" "+cmp.Or(value, "-1"))
		case name == storage:
			clauses = append(clauses, "SET "+name+" "+cmp.Or(value, w.Storage))
		case name == compression:
			clauses = append(clauses, "SET "+name+" "+cmp.Or(value, "DEFAULT"))
		case is:
			set = append(set, name+" = "+literal(value))
		default:
			reset = append(reset, name)
		}
	}
	if set != nil {
		clauses = append(clauses, "SET ("+strings.Join(set, ", ")+")")
	}
	if reset != nil {
		clauses = append(clauses, "RESET ("+strings.Join(reset, ", ")+")")
	}
	for i := range clauses {
		clauses[i] = alter + clauses[i] + ";"
	}
	steps := together(cmp.Or(w.Table, w.Name), clauses...)
	if steps != nil {
		steps[0].Lock = lock
	}

	return steps
}

func printed(settings map[string]string) string {
	list := make([]string, 0, len(settings))
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		between := "="
		if strings.ToUpper(name) == name {
			between = " "
		}
		list = append(list, name+between+settings[name])
	}

	return strings.Join(list, ", ")
}

func without(settings map[string]string, names ...string) map[string]string {
	settings = maps.Clone(settings)
	if settings == nil {
		settings = map[string]string{}
	}
	maps.DeleteFunc(settings, func(name, _ string) bool { return slices.Contains(names, name) })

	return settings
}

func both(one, other map[string]string) map[string]string {
	all := maps.Clone(other)
	if all == nil {
		return one
	}
	maps.Copy(all, one)

	return all
}
