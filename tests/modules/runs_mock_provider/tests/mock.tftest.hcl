mock_provider "terraform" {
  mock_resource "terraform_data" {
    defaults = {
      id = "mocked"
    }
  }
}

run "gets_the_mocked_value" {
  assert {
    condition     = output.id == "mocked"
    error_message = "The provider is not mocked."
  }
}
