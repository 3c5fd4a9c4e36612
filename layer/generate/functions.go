package main

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	pgquery "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"musicstore/layer/ddl"
)

// The functions of PostgreSQL all of whose forms are STABLE or IMMUTABLE, one a line: a query that calls another may
// write. They are read from the catalogue of a server by
//
//	go test ./layer/generate -run TestStableFunctions -update
//
//go:embed stable_functions.txt
var stableFunctions string

var stableNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(stableFunctions) {
		names[name] = true
	}

	return names
})

// stable reports that PostgreSQL's function of this name does not write.
func stable(name string) bool { return stableNames()[strings.ToLower(name)] }

// setNames are PostgreSQL's functions that make several rows of one where a SELECT calls them, but those that look into the server.
var setNames = []string{
	"generate_series", "generate_subscripts", "json_array_elements", "json_array_elements_text", "json_each", "json_each_text",
	"json_object_keys", "json_populate_recordset", "json_to_recordset", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_each",
	"jsonb_each_text", "jsonb_object_keys", "jsonb_path_query", "jsonb_path_query_tz", "jsonb_populate_recordset", "jsonb_to_recordset",
	"regexp_matches", "regexp_split_to_table", "string_to_table", "ts_debug", "ts_parse", "ts_stat", "ts_token_type", "txid_snapshot_xip", "unnest",
}

// returnsSet reports that a function of this name may return any number of rows.
func (s *schema) returnsSet(name string) bool {
	return slices.Contains(setNames, strings.ToLower(name)) || slices.ContainsFunc(s.forms[name], func(f form) bool { return f.set })
}

// checkCalls refuses calls of the functions of the schema files of which sqlc would make a wrong type: it tells functions of
// one name apart by the number of their arguments alone, and does not know that an argument or a result is an array. With a
// cast it knows the type.
func (s *schema) checkCalls(node *pgquery.Node, refuse func(location int32, format string, args ...any)) {
	ddl.Walk(node.ProtoReflect(), func(m proto.Message) bool {
		call, ok := m.(*pgquery.FuncCall)
		if !ok {
			return true
		}
		name := lastName(call.GetFuncname())
		forms := s.taking(name, len(call.GetArgs()))
		for i, arg := range call.GetArgs() {
			if arg.GetParamRef() == nil || len(forms) == 0 {
				continue
			}
			var types []string
			for _, f := range forms {
				types = append(types, f.param(i))
			}
			switch {
			case slices.ContainsFunc(types, func(t string) bool { return t != types[0] }):
				refuse(call.GetLocation(), "sqlc can't tell which function %s is called: cast argument %d to its type", name, i+1)
			case strings.HasSuffix(types[0], "[]"):
				refuse(call.GetLocation(), "sqlc does not know that argument %d of %s is an array: cast it to %s", i+1, name, types[0])
			}
		}

		return true
	})
	for _, target := range slices.Concat(node.GetSelectStmt().GetTargetList(), node.GetInsertStmt().GetReturningList(),
		node.GetUpdateStmt().GetReturningList(), node.GetDeleteStmt().GetReturningList()) {
		call := target.GetResTarget().GetVal().GetFuncCall()
		name := lastName(call.GetFuncname())
		forms := s.taking(name, len(call.GetArgs()))
		if name == "date_trunc" && len(forms) == 0 {
			refuse(call.GetLocation(), "sqlc takes the result of date_trunc for an interval: cast it to its type, such as timestamptz")
		}
		if len(forms) == 0 {
			continue
		}
		result := ddl.TypeName(forms[0].result)
		switch {
		case forms[0].outs > 1:
			refuse(call.GetLocation(), "%s returns several columns: write it behind FROM", name)
		case slices.ContainsFunc(forms, func(f form) bool { return ddl.TypeName(f.result) != result }):
			refuse(call.GetLocation(), "sqlc can't tell which function %s is called: cast its result to its type", name)
		case strings.HasSuffix(result, "[]"):
			refuse(call.GetLocation(), "sqlc does not know that the result of %s is an array: cast it to %s", name, result)
		}
	}
}

// taking returns the functions of a name that can be called with so many arguments.
func (s *schema) taking(name string, n int) []form {
	return slices.DeleteFunc(slices.Clone(s.forms[name]), func(f form) bool {
		least := 0
		for _, p := range f.params {
			if p.GetFunctionParameter().GetDefexpr() == nil {
				least++
			}
		}

		return n < least || n > len(f.params) && !f.variadic()
	})
}

func (f form) variadic() bool {
	last := len(f.params) - 1

	return last >= 0 && f.params[last].GetFunctionParameter().GetMode() == pgquery.FunctionParameterMode_FUNC_PARAM_VARIADIC
}

// param returns the type of an argument; "" where one of many is meant.
func (f form) param(i int) string {
	if f.variadic() && i >= len(f.params)-1 {
		return ""
	}

	return ddl.TypeName(f.params[i].GetFunctionParameter().GetArgType())
}
