package main

import (
	"maps"
	"slices"
	"strings"

	"musicstore/layer/ddl"
)

// A domain is a base type with a rule. sqlc does not look up the base type, and would not know the Go type of the domain's columns.
// So sqlc is given overrides that name the Go type of the base type.

// domain is the base type of a domain.
type domain struct {
	base  string // a name as typeName gives it; no other domain
	array bool
}

// readDomains returns the domains that the schema files create, by their names.
func readDomains(files []*source) map[string]domain {
	all := map[string]domain{}
	for _, file := range files {
		for _, st := range file.Statements {
			create := st.Node.GetCreateDomainStmt()
			if create == nil {
				continue
			}
			d := domain{base: ddl.QualifiedName(create.GetTypeName().GetNames()), array: len(create.GetTypeName().GetArrayBounds()) > 0}
			if under, ok := all[d.base]; ok {
				d.base, d.array = under.base, d.array || under.array
			}
			all[ddl.QualifiedName(create.GetDomainname())] = d
		}
	}

	return all
}

// resolve returns the type of a column or parameter, with the base type in the place of a domain.
func (s *schema) resolve(t relation, array bool) (string, bool) {
	name := typeName(t)
	if d, ok := s.domains[name]; ok {
		return d.base, array || d.array
	}

	return name, array
}

// goTypes are the Go types that sqlc gives PostgreSQL's types, with that of a NULLable column where pointers are wanted.
var goTypes = func() map[string][2]any {
	one := func(name string) [2]any { return [2]any{name, map[string]any{"type": name, "pointer": true}} }
	of := func(path, name string) map[string]any { return map[string]any{"import": path, "type": name} }
	const pgtypePath = "github.com/jackc/pgx/v5/pgtype"
	both := func(path, name string) [2]any { return [2]any{of(path, name), of(path, name)} }
	pointed := func(path, name string) [2]any {
		null := of(path, name)
		null["pointer"] = true

		return [2]any{of(path, name), null}
	}

	return map[string][2]any{
		"bool": one("bool"), "int2": one("int16"), "int4": one("int32"), "int8": one("int64"), "float4": one("float32"),
		"float8": one("float64"), "text": one("string"), "varchar": one("string"), "bpchar": one("string"), "name": one("string"),
		"citext": one("string"), "bytea": {"[]byte", "[]byte"}, "json": {"[]byte", "[]byte"}, "jsonb": {"[]byte", "[]byte"},
		"uuid": both(pgtypePath, "UUID"), "numeric": both(pgtypePath, "Numeric"), "date": both(pgtypePath, "Date"),
		"time": both(pgtypePath, "Time"), "timestamp": both(pgtypePath, "Timestamp"), "timestamptz": both(pgtypePath, "Timestamptz"),
		"interval": both(pgtypePath, "Interval"), "inet": pointed("net/netip", "Addr"), "cidr": pointed("net/netip", "Prefix"),
		"macaddr": both("net", "HardwareAddr"),
	}
}()

// ofDomains returns the overrides of sqlc.yaml, and one more for each domain, which is that of its base type. A domain that has an
// override in sqlc.yaml keeps it.
func ofDomains(golang map[string]any, domains map[string]domain) []any {
	overrides, _ := golang["overrides"].([]any)
	said := func(typ string, nullable bool) (map[string]any, bool) {
		for _, o := range overrides {
			o, _ := o.(map[string]any)
			name, _ := o["db_type"].(string)
			null, _ := o["nullable"].(bool)
			if strings.TrimPrefix(name, "pg_catalog.") == typ && null == nullable {
				return o, true
			}
		}

		return nil, false
	}
	pointers, _ := golang["emit_pointers_for_null_types"].(bool)
	all := slices.Clone(overrides)
	for _, name := range slices.Sorted(keys(domains)) {
		d := domains[name]
		for i, nullable := range []bool{false, true} {
			if _, own := said(name, nullable); own || nullable && !pointers {
				continue
			}
			like, ok := said(d.base, nullable)
			if like = maps.Clone(like); !ok {
				goType, known := goTypes[d.base]
				if !known {
					continue
				}
				like = map[string]any{"go_type": goType[i], "nullable": nullable}
			}
			if goType, plain := goTypes[d.base][0].(string); d.array && plain {
				like["go_type"] = map[string]any{"type": goType, "slice": true}
			} else if d.array {
				continue
			}
			for _, as := range []string{name, "public." + name} { // as the files have it
				like = maps.Clone(like)
				like["db_type"] = as
				all = append(all, like)
			}
		}
	}

	return all
}
