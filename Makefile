# The targets add nothing to the program: they get what it needs and call `pulumi`. See README.md.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CLI := node dist/toolchain/make/cli.js
SOURCES := $(shell find src components cli toolchain bench examples -type f -not -path '*/go/*' -not -path '*/results/*' 2>/dev/null) tsconfig.json tsconfig.build.json
PLUGIN := packages/pulumi-command
PLUGIN_SOURCES := $(shell find $(PLUGIN)/src -name '*.ts') $(PLUGIN)/tsconfig.json tsconfig.json
TSC := node_modules/.bin/tsc

.PHONY: help up down clean env verify test soak faults check bench build

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

node_modules/.podnet: package.json package-lock.json
	@echo "installing npm packages" >&2
	@npm ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	@touch $@

$(PLUGIN)/dist/.podnet: node_modules/.podnet $(PLUGIN_SOURCES)
	@rm -rf $(PLUGIN)/dist
	@$(TSC) -p $(PLUGIN)
	@touch $@

dist/.podnet: node_modules/.podnet $(PLUGIN)/dist/.podnet $(SOURCES)
	@rm -rf dist
	@npm run --silent build
	@touch $@

build: dist/.podnet ## compile the program and the tools

up: dist/.podnet ## set everything up and run `pulumi up`: three nodes, network, service, check
	@$(CLI) up

down: dist/.podnet ## take down everything that `make up` made, except the caches
	@$(CLI) down

clean: dist/.podnet ## `make down`, and remove the caches, node_modules and dist
	@$(CLI) clean

env: dist/.podnet ## print the environment for plain `pulumi` and `kubectl`: eval "$$(make -s env)"
	@$(CLI) env

verify: dist/.podnet ## prove the network again, changing nothing
	@$(CLI) verify

test: dist/.podnet ## run the tests, unit to lab
	@$(CLI) test

soak: dist/.podnet ## repeat on the lab: ten rounds of what breaks, all changes of network, each command of the pages
	@$(CLI) soak

faults: dist/.podnet ## replace, lose and kill each resource on the lab, while it is made and while it goes
	@$(CLI) faults

bench: dist/.podnet ## measure, each figure beside its peer; `make bench ONLY=networks` compares the networks alone, ONLY=check needs no lab
	@$(CLI) bench $(ONLY)

check: node_modules/.podnet ## types, the public API, rooms, lint and format
	@npm run --silent check
