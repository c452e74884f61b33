// `trimtab consume` as a Container App with a user-assigned identity: always at least one process, since sweeps follow
// changes and apply schedules also while no event comes, and more where events gather. The identity needs what
// deploy/aks.yaml lists; the scale rule reads hub and checkpoints with it too.
param location string = resourceGroup().location
param environmentId string
param identityId string
param identityClientId string
param image string
@description('Name of the Event Hubs namespace, without its domain.')
param namespace string
param hub string = 'metrics'
@description('In small letters: the scale rule looks for the checkpoints of a group there.')
param consumerGroup string = 'trimtab'
@description('Name of the storage account for windows, journal and checkpoints.')
param account string
@description('At most as many as the hub has partitions: more would have nothing to read.')
param maxReplicas int = 4

resource app 'Microsoft.App/containerApps@2025-01-01' = {
  name: 'trimtab'
  location: location
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    environmentId: environmentId
    configuration: { activeRevisionsMode: 'Single' }
    template: {
      terminationGracePeriodSeconds: 30
      containers: [
        {
          name: 'trimtab'
          image: image
          resources: { cpu: json('0.25'), memory: '0.5Gi' }
          env: [
            { name: 'AZURE_CLIENT_ID', value: identityClientId }
            { name: 'MetricsHub__fullyQualifiedNamespace', value: '${namespace}.servicebus.windows.net' }
            { name: 'METRICS_HUB', value: hub }
            { name: 'METRICS_CONSUMER_GROUP', value: consumerGroup }
            { name: 'TRIMTAB_TABLE_ENDPOINT', value: 'https://${account}.table.${environment().suffixes.storage}' }
            { name: 'TRIMTAB_CHECKPOINT_ENDPOINT', value: 'https://${account}.blob.${environment().suffixes.storage}' }
          ]
          probes: [
            { type: 'Liveness', httpGet: { path: '/livez', port: 8080 }, periodSeconds: 20 }
            { type: 'Readiness', httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 5 }
          ]
        }
      ]
      scale: {
        minReplicas: 1
        maxReplicas: maxReplicas
        rules: [
          {
            name: 'events'
            custom: {
              type: 'azure-eventhub'
              identity: identityId
              metadata: {
                eventHubNamespace: namespace
                eventHubName: hub
                consumerGroup: consumerGroup
                storageAccountName: account
                blobContainer: 'trimtab-checkpoints'
                checkpointStrategy: 'blobMetadata'
                unprocessedEventThreshold: '2000'
              }
            }
          }
        ]
      }
    }
  }
}
