package schema

import "strings"

// How enums, domains and composite types are mended.

// labels are those of an enum as SQL.
func (o object) labels() string {
	texts := make([]string, len(o.Labels))
	for i, label := range o.Labels {
		texts[i] = literal(label)
	}

	return "(" + strings.Join(texts, ", ") + ")"
}

// mendEnum adds the labels that are missing. PostgreSQL has no statement that removes or moves one: then there is no mend.
// https://www.postgresql.org/docs/current/sql-altertype.html
func mendEnum(w, h object) []string {
	rest := h.Labels
	var statements []string
	for i, label := range w.Labels {
		if len(rest) > 0 && rest[0] == label {
			rest = rest[1:]

			continue
		}
		place := ""
		switch {
		case i > 0:
			place = " AFTER " + literal(w.Labels[i-1])
		case len(h.Labels) > 0:
			place = " BEFORE " + literal(h.Labels[0])
		}
		statements = append(statements, "ALTER TYPE "+quote(w.Name)+" ADD VALUE "+literal(label)+place+";")
	}
	if len(rest) > 0 {
		return nil
	}

	return statements
}

// mendDomain alters what can be altered of a domain. No statement changes the type that it is of.
func mendDomain(w, h object) []string {
	if w.Def != h.Def {
		return nil
	}
	alter := "ALTER DOMAIN " + quote(w.Name)
	var statements []string
	switch {
	case w.Default != "" && w.Default != h.Default:
		statements = append(statements, alter+" SET DEFAULT "+w.Default+";")
	case w.Default != h.Default:
		statements = append(statements, alter+" DROP DEFAULT;")
	}
	switch {
	case w.NotNull && !h.NotNull:
		statements = append(statements, alter+" SET NOT NULL;")
	case h.NotNull && !w.NotNull:
		statements = append(statements, alter+" DROP NOT NULL;")
	}

	return statements
}

func (o object) attributes() string {
	if o.Def != "" {
		return o.Def
	}
	texts := make([]string, len(o.Attributes))
	for i, a := range o.Attributes {
		texts[i] = quote(a[0]) + " " + a[1]
	}

	return "(" + strings.Join(texts, ", ") + ")"
}

// mendType alters the attributes of a composite type, where that leads to their order. Nothing alters a range.
func mendType(w, h object) (statements []string, losesData bool) {
	if w.Def != "" || h.Def != "" {
		return nil, false
	}
	alter := "ALTER TYPE " + quote(w.Name)
	var names []string
	types := map[string]string{}
	for _, a := range w.Attributes {
		types[a[0]] = a[1]
	}
	for _, a := range h.Attributes {
		typ, stays := types[a[0]]
		switch {
		case !stays:
			statements, losesData = append(statements, alter+" DROP ATTRIBUTE "+quote(a[0])+";"), true
		case typ != a[1]:
			statements, losesData = append(statements, alter+" ALTER ATTRIBUTE "+quote(a[0])+" TYPE "+typ+";"), true
		}
		if stays {
			names = append(names, a[0])
		}
	}
	for i, a := range w.Attributes {
		switch {
		case i >= len(names):
			names = append(names, a[0])
			statements = append(statements, alter+" ADD ATTRIBUTE "+quote(a[0])+" "+a[1]+";")
		case names[i] != a[0]:
			return nil, false
		}
	}

	return statements, losesData
}
