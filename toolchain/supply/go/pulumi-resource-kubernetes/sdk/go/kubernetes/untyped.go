// Package kubernetes is as much of the Kubernetes SDK for Go as the provider itself uses. The whole SDK has a typed struct for
// every kind in every version of the API: a quarter of all that would be compiled, for a provider that has the schema as data.
package kubernetes

import "reflect"

// UntypedArgs are the inputs of an object of any kind.
type UntypedArgs map[string]any

// ElementType makes UntypedArgs an input.
func (UntypedArgs) ElementType() reflect.Type {
	return reflect.TypeFor[map[string]any]()
}
