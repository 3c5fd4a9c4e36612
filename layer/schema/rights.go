package schema

import (
	"maps"
	"slices"
	"strings"
)

// Rights on a view stay when it is dropped and made again. Where it is made by a later step, a view without rows has them meanwhile, so that a run
// that is cut off between the two loses none.

// keeper is the name of that view.
func keeper(view string) string { return aside(view) }

// keepRights returns the statements that make it.
func (c *comparison) keepRights(h object) []string {
	if len(h.Grants) == 0 {
		return nil
	}
	c.kept[h.Name] = h
	var columns []string
	for _, column := range h.Columns {
		columns = append(columns, "NULL::text AS "+firstName(column))
	}

	return append([]string{"DROP VIEW IF EXISTS " + quote(keeper(h.Name)) + ";", "CREATE VIEW " + quote(keeper(h.Name)) + " AS SELECT " + strings.Join(columns, ", ") + ";"},
		h.rights(keeper(h.Name), h.Columns)...)
}

// giveRights adds to the steps that make views again the statements that give them the rights that they had.
func (c *comparison) giveRights() {
	for i := range c.found {
		d := &c.found[i]
		had, kept := c.kept[d.Name]
		if h, there := c.relations[keeper(d.Name)]; there && !kept {
			had, kept = h, true
		}
		if !kept || d.Kind != "view" && d.Kind != "materialized view" || d.Want == "" || len(d.Steps) == 0 || d.Steps[0].Refused != "" {
			continue
		}
		for _, w := range c.want.relations {
			if w.Name == d.Name {
				statements := append(had.rights(w.Name, w.Columns), "DROP VIEW IF EXISTS "+quote(keeper(w.Name))+";")
				d.Steps[0].SQL += "\n" + strings.Join(statements, "\n")
				d.Mend += "\n" + strings.Join(statements, "\n")
				delete(c.kept, w.Name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.kept)) { // those that come back with what they need
		for i := range c.found {
			if d := &c.found[i]; len(d.Steps) > 0 && strings.Contains(d.Steps[0].SQL, c.kept[name].Grants[0]) {
				statement := "\nDROP VIEW IF EXISTS " + quote(keeper(name)) + ";"
				d.Steps[0].SQL += statement
				d.Mend += statement
			}
		}
	}
}

// keepsRights says whether a view has the rights of one that is still to be made.
func (c *comparison) keepsRights(h object) bool {
	return h.Kind == "view" && slices.ContainsFunc(c.want.relations, func(w object) bool {
		_, there := c.relations[w.Name]

		return w.isView() && h.Name == keeper(w.Name) && !there
	})
}

// rights are the statements that give the rights on a view to one of another name, which has these columns.
func (o object) rights(to string, columns []string) (statements []string) {
	for _, grant := range o.Grants {
		privilege, rest, _ := strings.Cut(grant, " ON ")
		if _, column, is := strings.Cut(privilege, " ("); is && !slices.ContainsFunc(columns, func(c string) bool {
			return firstName(c)+")" == column
		}) {
			continue
		}
		statements = append(statements, privilege+" ON "+quote(to)+strings.TrimPrefix(rest, firstName(rest)))
	}

	return statements
}

// firstName is the name, in quotes or not, with which a text begins.
func firstName(text string) string {
	if !strings.HasPrefix(text, `"`) {
		name, _, _ := strings.Cut(text, " ")

		return name
	}
	end := 1
	for end < len(text) && (text[end] != '"' || strings.HasPrefix(text[end:], `""`)) {
		if text[end] == '"' {
			end++
		}
		end++
	}

	return text[:min(end+1, len(text))]
}
