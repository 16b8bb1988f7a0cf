# Gives containerd the images of a network's agents, before anything of another network ends.
# shellcheck shell=bash
use lib/node
use lib/fetch

lasts 900

declare_images() {
    takes owner node
    may_take mirror
    takes_list image
}

do_images() {
    scratch
    give_images
}

undo_images() { :; }
