terraform {
  backend "local" {
    path          = "state/of-a-user.tfstate"
    workspace_dir = "state"
  }
}

resource "terraform_data" "only" {
  input = "one"
}

output "id" {
  value = terraform_data.only.id
}
