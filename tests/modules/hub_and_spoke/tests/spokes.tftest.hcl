run "reads_what_is_there" {
  command = plan

  assert {
    condition     = data.mockcloud_group.shared.location == "westeurope"
    error_message = "The shared group is not read."
  }
}

run "peers_across_tenants" {
  assert {
    condition     = output.tenants[0] != output.tenants[1]
    error_message = "Both groups are one tenant's."
  }

  assert {
    condition     = strcontains(mockcloud_peering.to_hub.remote_id, "c0000000-0000-4000-8000-000000000001")
    error_message = "The peering is not with the hub's subscription."
  }
}
