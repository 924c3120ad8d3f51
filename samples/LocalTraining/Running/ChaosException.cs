namespace LocalTraining.Running;

/// <summary>A fault could not be made, or was not answered.</summary>
internal sealed class ChaosException(string message) : Exception(message);
