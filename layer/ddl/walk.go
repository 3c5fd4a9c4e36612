package ddl

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Walk calls visit for a node and all that is below it, in order; below a node only where visit says so.
func Walk(m protoreflect.Message, visit func(proto.Message) bool) {
	if !visit(m.Interface()) {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.Message() == nil || !m.Has(field) {
			continue
		}
		if field.IsList() {
			list := m.Get(field).List()
			for n := range list.Len() {
				Walk(list.Get(n).Message(), visit)
			}

			continue
		}
		Walk(m.Get(field).Message(), visit)
	}
}
