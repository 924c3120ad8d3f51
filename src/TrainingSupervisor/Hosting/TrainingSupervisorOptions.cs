using System.ComponentModel.DataAnnotations;
using k8s;

namespace TrainingSupervisor;

/// <summary>How the supervisor reaches the cluster and is reached by agents. Validated when the host starts.</summary>
public sealed class TrainingSupervisorOptions
{
    /// <summary>The client configuration to use. Default null: <see cref="KubeConfigPath"/>, else the Pod's own service account, else the user's kubeconfig.</summary>
    public KubernetesClientConfiguration? ClientConfiguration { get; set; }

    /// <summary>A kubeconfig file. Default null: the service account in a Pod, else <c>KUBECONFIG</c> or <c>~/.kube/config</c>.</summary>
    public string? KubeConfigPath { get; set; }

    /// <summary>The context in the kubeconfig. Default null: its current one.</summary>
    public string? KubeConfigContext { get; set; }

    /// <summary>How the Kubernetes API is used.</summary>
    [Required]
    public KubernetesOptions Kubernetes { get; set; } = new();

    /// <summary>Where agents connect.</summary>
    [Required]
    public GatewayOptions Gateway { get; set; } = new();
}
