package ledger

import (
	"reflect"
	"sync"
	"time"
)

// clone copies a document with everything that it points to. It goes by reflection, so that a field that joins a noun
// is copied from the day it does.
func clone[T any](v T) T {
	deepen(reflect.ValueOf(&v).Elem())
	return v
}

// deepen replaces what a shallow copy shares with its original.
func deepen(v reflect.Value) {
	if !shares(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			own := reflect.New(v.Type().Elem())
			own.Elem().Set(v.Elem())
			deepen(own.Elem())
			v.Set(own)
		}
	case reflect.Slice:
		if !v.IsNil() {
			own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(own, v)
			if shares(v.Type().Elem()) {
				for i := range own.Len() {
					deepen(own.Index(i))
				}
			}
			v.Set(own)
		}
	case reflect.Map:
		if !v.IsNil() {
			own := reflect.MakeMapWithSize(v.Type(), v.Len())
			value := reflect.New(v.Type().Elem()).Elem()
			for each := v.MapRange(); each.Next(); {
				value.Set(each.Value())
				deepen(value)
				own.SetMapIndex(each.Key(), value)
			}
			v.Set(own)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			deepen(v.Field(i))
		}
	}
}

var (
	shared  sync.Map // reflect.Type → bool: whether a shallow copy shares something with its original
	instant = reflect.TypeFor[time.Time]()
)

// shares reports whether a shallow copy of a value of the type shares something that could change.
func shares(t reflect.Type) bool {
	if known, ok := shared.Load(t); ok {
		return known == true
	}
	answer := false
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		answer = true
	case reflect.Struct:
		for i := 0; t != instant && i < t.NumField(); i++ {
			answer = answer || shares(t.Field(i).Type)
		}
	}
	shared.Store(t, answer)
	return answer
}
