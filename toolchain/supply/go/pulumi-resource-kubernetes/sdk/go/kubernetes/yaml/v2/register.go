// Package v2 registers objects that components of the provider, such as ConfigGroup and Chart, read from YAML.
package v2

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// object is a Kubernetes object of any kind. Its outputs are in the state; no one here reads them.
type object struct {
	pulumi.CustomResourceState
}

// RegisterResource registers an object under the type that the provider's schema gives its kind.
func RegisterResource(ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input,
	opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	if !strings.Contains(apiVersion, "/") {
		apiVersion = "core/" + apiVersion
	}
	var made object
	if err := ctx.RegisterResource("kubernetes:"+apiVersion+":"+kind, name, props, &made, opts...); err != nil {
		return nil, err
	}
	return &made, nil
}
