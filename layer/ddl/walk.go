package ddl

import (
	"iter"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Walk calls visit for a node and all that is below it, in order; below a node only where visit says so.
func Walk(m protoreflect.Message, visit func(proto.Message) bool) {
	if !visit(m.Interface()) {
		return
	}
	for field := range below(m) {
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

// below gives, in order, the fields of a message that hold messages. A node is a oneof of 270 kinds:
// it is asked for the one that it has, which takes a fraction of asking for each.
func below(m protoreflect.Message) iter.Seq[protoreflect.FieldDescriptor] {
	return func(yield func(protoreflect.FieldDescriptor) bool) {
		fields, oneofs := m.Descriptor().Fields(), m.Descriptor().Oneofs()
		for i := range fields.Len() {
			field := fields.Get(i)
			if field.Message() != nil && field.ContainingOneof() == nil && m.Has(field) && !yield(field) {
				return
			}
		}
		for i := range oneofs.Len() {
			if field := m.WhichOneof(oneofs.Get(i)); field != nil && field.Message() != nil && !yield(field) {
				return
			}
		}
	}
}
