variables {
  address_space = "10.40.0.0/20"
  subnets = {
    application = 4
    data        = 4
    gateway     = 7
  }
  tags = {
    team       = "checkout"
    managed_by = "hand"
  }
}

run "subnets_do_not_overlap" {
  assert {
    condition = output.subnets == tomap({
      application = "10.40.0.0/24"
      data        = "10.40.1.0/24"
      gateway     = "10.40.2.0/27"
    })
    error_message = "The address plan has changed: ${jsonencode(output.subnets)}."
  }
}

run "a_new_subnet_moves_no_other" {
  variables {
    subnets = {
      application = 4
      data        = 4
      gateway     = 7
      integration = 7
    }
  }

  assert {
    condition     = alltrue([for name, prefix in run.subnets_do_not_overlap.subnets : output.subnets[name] == prefix])
    error_message = "A subnet has moved: ${jsonencode(output.subnets)}."
  }
}

run "tags_of_the_platform_win" {
  assert {
    condition     = output.tags["managed_by"] == "terraform" && output.tags["team"] == "checkout"
    error_message = "The tags are ${jsonencode(output.tags)}."
  }
}

run "refuses_what_is_no_network" {
  command = plan

  variables {
    address_space = "10.40.0.0"
    subnets       = {}
  }

  expect_failures = [var.address_space]
}
